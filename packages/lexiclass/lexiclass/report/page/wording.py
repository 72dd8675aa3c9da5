"""Numbers as people read them, and no more of their digits than the documents can tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from statistics import median
from typing import Final

from lexiclass.report.model import Estimate

#: Between a number and its unit: narrow, and no line ends there.
_GAP: Final = "\u202f"
_MINUS: Final = "\N{MINUS SIGN}"
_TO: Final = "\N{EN DASH}"
NOTHING: Final = "\N{EN DASH}"
"""In place of a number that there is not."""

#: Wider intervals than this are told in whole percent.
_COARSE: Final = 0.05


def decimals(estimates: Iterable[Estimate | None]) -> int:
    """Return how many decimals of a percentage a column of figures can bear."""
    widths = [each.high - each.low for each in estimates if each is not None]
    return 0 if widths and median(widths) > _COARSE else 1


def percent(share: float | None, places: int = 1) -> str:
    """Return a share of documents. What is not all is not rounded to 100 %, nor something to 0."""
    if share is None:
        return NOTHING
    least = 10.0**-places
    if share < 1 and round(100 * share, places) >= 100:
        return f">{_GAP}{100 - least:.{places}f}{_GAP}%"
    if share > 0 and round(100 * share, places) <= 0:
        return f"<{_GAP}{least:.{places}f}{_GAP}%"
    return f"{100 * share:.{places}f}{_GAP}%"


def ends(estimate: Estimate | None, places: int = 1) -> str:
    """Return where a share may lie: ``88.9-90.2``, with an en dash."""
    if estimate is None:
        return ""
    least = 10.0**-places
    low = min(100 * estimate.low, 100.0 if estimate.low >= 1 else 100 - least)
    high = max(100 * estimate.high, 0.0 if estimate.high <= 0 else least)
    return f"{low:.{places}f}{_TO}{high:.{places}f}"


def span(estimate: Estimate, places: int = 1) -> str:
    """Return where a share lies, with its unit: ``88.9-90.2 %``."""
    return f"{ends(estimate, places)}{_GAP}%"


def points(difference: float, places: int = 1) -> str:
    """Return a difference of two shares in points of percent, with its sign: ``+2.3``."""
    text = f"{abs(100 * difference):.{places}f}"
    if not float(text):
        return text
    return f"{'+' if difference > 0 else _MINUS}{text}"


def difference(estimate: Estimate, places: int = 1) -> str:
    """Return a difference of two shares and where it may lie: ``+2.3 (+0.9 to +3.7)``."""
    low, high = points(estimate.low, places), points(estimate.high, places)
    return f"{points(estimate.value, places)} ({low} to {high})"


def count(number: int) -> str:
    """Return a number of things: ``10,000``."""
    return f"{number:,}"


def confidence(value: float | None) -> str:
    """Return a confidence as requests take it: ``0.87``; more digits only where they matter."""
    if value is None:
        return NOTHING
    text = f"{value:.4f}".rstrip("0")
    return text + "0" * max(0, 2 - len(text.partition(".")[2]))


def score(value: float, places: int = 3) -> str:
    """Return a figure that is no share."""
    return f"{value:.{places}f}".replace("-", _MINUS)


def probability(p_value: float) -> str:
    """Return a p-value."""
    return f"<{_GAP}0.001" if p_value < 0.001 else f"{p_value:.3f}"


def moment(when: datetime) -> str:
    """Return a time, to the minute, in UTC."""
    universal = when.astimezone(UTC) if when.tzinfo else when
    return f"{universal.day} {universal:%B %Y, %H:%M} UTC"
