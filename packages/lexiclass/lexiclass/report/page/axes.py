"""Two axes of shares, and where a value lies between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from lexiclass.report.page import svg
from lexiclass.report.page.svg import Anchor, Element, Point

#: Distances of ticks that people can count in, the first that gives few enough.
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where an axis goes, in shares."""

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, low: float, high: float = 1.0) -> Span:
        """Take the whole steps around two shares."""
        step = next((each for each in _STEPS if (high - low) / each <= _MOST_TICKS - 1), _STEPS[-1])
        # What is a whole step by rounding errors alone is one.
        first = max(0.0, floor(low / step + 1e-9) * step)
        last = min(1.0, ceil(high / step - 1e-9) * step)
        if last <= first:
            first, last = max(0.0, last - step), max(last, step)
        return cls(first, last, step)

    def position(self, value: float) -> float:
        """Return where a value lies, from 0 to 1; what is outside lies at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self) -> Iterator[float]:
        """Yield where the ticks are."""
        for index in range(round((self.high - self.low) / self.step) + 1):
            yield min(self.low + index * self.step, self.high)


@dataclass(frozen=True, slots=True)
class Plane:
    """A rectangle of a drawing in which points are drawn."""

    left: float
    top: float
    right: float
    bottom: float
    across: Span
    up: Span

    def x(self, value: float) -> float:
        """Return where a value lies from left to right."""
        return self.left + (self.right - self.left) * self.across.position(value)

    def y(self, value: float) -> float:
        """Return where a value lies from top to bottom."""
        return self.bottom - (self.bottom - self.top) * self.up.position(value)

    def at(self, across: float, up: float) -> Point:
        """Return where a point lies."""
        return self.x(across), self.y(up)

    def drawn(self, across: str, up: str, *, percent_across: bool) -> Iterator[Element]:
        """Draw grid, ticks and what the axes are called."""
        for value in self.up.ticks():
            y = self.y(value)
            yield svg.line((self.left, y), (self.right, y), "grid")
            yield svg.text((self.left - 6, y + 4), _whole_percent(value), "tick", "end")
        for value in self.across.ticks():
            x = self.x(value)
            yield svg.line((x, self.bottom), (x, self.bottom + 4), "axis")
            label = _whole_percent(value) if percent_across else f"{value:.2f}"
            # The last one would reach beyond the drawing.
            anchor: Anchor = "end" if x >= self.right else "middle"
            at = (self.right + 10 if x >= self.right else x, self.bottom + 16)
            yield svg.text(at, label, "tick", anchor)
        yield svg.line((self.left, self.bottom), (self.right, self.bottom), "axis")
        middle = (self.left + self.right) / 2
        yield svg.text((middle, self.bottom + 33), across, "label", "middle")
        yield svg.text((0, 11), up, "label")


def _whole_percent(value: float) -> str:
    return f"{round(100 * value)} %"
