"""Accuracy of the most confident documents against their share, with what is guaranteed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lexiclass.report.model import Acceptance, AcceptanceThreshold
from lexiclass.report.page import svg
from lexiclass.report.page.axes import Plane, Span
from lexiclass.report.page.svg import Element

_WIDTH: Final = 420.0
_HEIGHT: Final = 330.0
_FLAG: Final = 40.0
"""How wide the flag of a threshold is."""


def coverage_chart(acceptance: Acceptance) -> Element:
    """Draw it; the curve has at least one point."""
    certified = [each for each in acceptance.thresholds if each.threshold is not None]
    # The most confident documents of all are few, and a single mistake among them no trend.
    least = min(point.accuracy for point in acceptance.curve)
    targets = [each.target for each in certified]
    plane = Plane(44, 58, _WIDTH - 14, 286, Span(0, 1, 0.2), Span.of(min([least, *targets])))
    return svg.drawing(
        "coverage",
        _WIDTH,
        _HEIGHT,
        [
            *plane.drawn("documents that go through", "right among these", percent_across=True),
            svg.path([plane.at(p.accepted, p.accuracy) for p in acceptance.curve], "curve"),
            *_flags(plane, certified),
        ],
        title="Accuracy by how much goes through",
        description=(
            "The more documents go through without a look, the most confident first, the fewer of "
            f"them are right. {len(certified)} of {len(acceptance.thresholds)} targets are "
            "guaranteed at a point of the curve. The table has the same numbers."
        ),
    )


def _flags(plane: Plane, certified: Sequence[AcceptanceThreshold]) -> Iterator[Element]:
    points = [plane.at(each.accepted, each.accuracy or each.target) for each in certified]
    places = _apart([x for x, _ in points], _FLAG + 4, plane.left + _FLAG / 2, _WIDTH - _FLAG / 2)
    # One line first, so that no flag is crossed.
    for (x, y), place in zip(points, places, strict=True):
        yield svg.path([(place, 44), (x, plane.top), (x, plane.bottom)], "lead")
        yield svg.circle((x, y), 4.5, "flag")
    for each, place in zip(certified, places, strict=True):
        yield svg.rectangle((place - _FLAG / 2, 24), _FLAG, 20, "flag")
        yield svg.text((place, 38), f"{100 * each.target:g} %", "flag-text", "middle")


def _apart(wanted: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Move places along a line so far apart that flags there do not overlap, in the same order."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], -index))
    places = [0.0] * len(wanted)
    following = low
    for index in order:
        places[index] = max(wanted[index], following)
        following = places[index] + distance
    limit = high
    for index in reversed(order):
        places[index] = min(places[index], limit)
        limit = places[index] - distance
    return places
