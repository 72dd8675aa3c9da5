"""Pictures in rows of tables: an interval as a dot with whiskers, a share as a bar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lexiclass.report.model import Estimate
from lexiclass.report.page import svg, wording
from lexiclass.report.page.axes import Span
from lexiclass.report.page.svg import Element

_WIDTH: Final = 140.0
_HEIGHT: Final = 16.0
_MARGIN: Final = 5.0
_BAR_WIDTH: Final = 90.0


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis that all rows of a table share.

    Attributes:
        span: From where to where it goes.
        reference: What rows are to be held against; a dashed line. None for nothing.
        is_of_differences: Whether it is one of points of percent, with 0 in the middle.
    """

    span: Span
    reference: float | None = None
    is_of_differences: bool = False

    @classmethod
    def of(cls, estimates: Iterable[Estimate | None], reference: float | None = None) -> Scale:
        """Take the axis that holds all intervals."""
        known = [each for each in estimates if each is not None]
        lows, highs = [each.low for each in known], [each.high for each in known]
        if reference is not None:
            lows.append(reference)
            highs.append(reference)
        return cls(
            Span.of(max(0.0, min(lows, default=0.0)), min(1.0, max(highs, default=1.0))), reference
        )

    @classmethod
    def of_differences(cls, estimates: Iterable[Estimate]) -> Scale:
        """Take the axis that holds all intervals of differences, and as much on either side."""
        most = max((max(abs(each.low), abs(each.high)) for each in estimates), default=0.0)
        reach = Span.of(0, most)
        return cls(Span(-reach.high, reach.high, reach.step), 0, is_of_differences=True)

    def _x(self, value: float) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * self.span.position(value)

    def interval(self, estimate: Estimate | None) -> Element:
        """Draw a figure as a dot between the ends of its interval."""
        middle = _HEIGHT / 2
        drawn = [svg.line((_MARGIN, middle), (_WIDTH - _MARGIN, middle), "grid")]
        if self.reference is not None:
            x = self._x(self.reference)
            drawn.append(svg.line((x, 0), (x, _HEIGHT), "ideal"))
        if estimate is not None:
            low, high = self._x(estimate.low), self._x(estimate.high)
            drawn += [
                svg.whisker(low, high, middle, "whisker"),
                svg.circle((self._x(estimate.value), middle), 4, "dot"),
            ]
        return svg.mark(_WIDTH, _HEIGHT, drawn)

    @property
    def words(self) -> str:
        """From where to where it goes."""
        low, high = self._ends
        return f"{low} to {high}"

    @property
    def _ends(self) -> tuple[str, str]:
        if self.is_of_differences:
            return wording.points(self.span.low, 0), wording.points(self.span.high, 0)
        return f"{round(100 * self.span.low)} %", f"{round(100 * self.span.high)} %"

    def axis(self) -> Element:
        """Draw where the axis begins and ends, for the head of the column."""
        low, high = self._ends
        return svg.mark(
            _WIDTH,
            _HEIGHT,
            [
                svg.text((_MARGIN, 12), low, "tick"),
                svg.text((_WIDTH - _MARGIN, 12), high, "tick", "end"),
            ],
        )


def bar(share: float) -> Element:
    """Draw a share of the largest, or of all, as a bar."""
    length = max(1.0, _BAR_WIDTH * min(1.0, max(0.0, share)))
    return svg.mark(
        _BAR_WIDTH,
        _HEIGHT,
        [
            svg.line((0, 12.5), (_BAR_WIDTH, 12.5), "grid"),
            svg.rectangle((0, 3), length, 9.5, "bar"),
        ],
    )
