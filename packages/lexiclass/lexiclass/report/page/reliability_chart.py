"""Accuracy against confidence, in the band that chance alone makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lexiclass.report.model import ReliabilityPoint
from lexiclass.report.page import svg
from lexiclass.report.page.axes import Plane, Span
from lexiclass.report.page.svg import Element

_WIDTH: Final = 420.0
_HEIGHT: Final = 366.0
_STRIP: Final = 34.0
"""How high the bars of documents are at most."""


def is_outside(point: ReliabilityPoint) -> bool:
    """Tell whether chance alone does not explain an accuracy."""
    return not point.low <= point.accuracy <= point.high


def reliability_chart(curve: Sequence[ReliabilityPoint]) -> Element:
    """Draw it; there is at least one point."""
    least = min(min(point.confidence, point.accuracy, point.low) for point in curve)
    across = Span.of(min(point.confidence for point in curve))
    plane = Plane(44, 26, _WIDTH - 14, 268, across, Span.of(least))
    outside = sum(map(is_outside, curve))
    return svg.drawing(
        "reliability",
        _WIDTH,
        _HEIGHT,
        [
            *plane.drawn(
                "confidence of the model", "documents that are right", percent_across=False
            ),
            *_curve(plane, curve),
            *_documents(plane, curve),
        ],
        title="Accuracy by confidence",
        description=(
            f"A curve of {len(curve)} points, of which {outside} lie outside the band where the "
            "curve of a model with right confidences would lie. The table has the same numbers."
        ),
    )


def _curve(plane: Plane, curve: Sequence[ReliabilityPoint]) -> Iterator[Element]:
    lower = [plane.at(point.confidence, point.low) for point in curve]
    upper = [plane.at(point.confidence, point.high) for point in curve]
    yield svg.path([*lower, *reversed(upper)], "band", closed=True)
    start = max(plane.across.low, plane.up.low)
    yield svg.path([plane.at(start, start), plane.at(1, 1)], "ideal")
    own = [plane.at(point.confidence, point.accuracy) for point in curve]
    yield svg.path(own, "curve")
    for point, at in zip(curve, own, strict=True):
        if is_outside(point):
            yield svg.diamond(at, 4.5, "outside")
        else:
            yield svg.circle(at, 2.2, "dot")


def _documents(plane: Plane, curve: Sequence[ReliabilityPoint]) -> Iterator[Element]:
    """Draw below the curve where documents lie."""
    most = max(1, *(point.num_documents for point in curve))
    foot = plane.bottom + 46 + 14 + _STRIP
    yield svg.text((plane.left, foot - _STRIP - 5), "how many documents", "tick")
    yield svg.line((plane.left, foot), (plane.right, foot), "axis")
    for point in curve:
        if point.num_documents:
            height = max(1.0, _STRIP * point.num_documents / most)
            corner = (plane.x(point.confidence) - 1.5, foot - height)
            yield svg.rectangle(corner, 3, height, "bar")
