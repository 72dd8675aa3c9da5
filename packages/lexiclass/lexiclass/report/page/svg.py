"""Elements of SVG. Every value and text is escaped; colours are classes of the style sheet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from markupsafe import escape

from lexiclass.report.page.names import isolated

Anchor: TypeAlias = Literal["start", "middle", "end"]
Point: TypeAlias = tuple[float, float]

_DECIMALS: Final = 1
_CAP: Final = 3.5
"""How far the ends of a whisker go up and down."""


class Element:
    """One element with what it holds; a template writes it as it is."""

    __slots__ = ("_attributes", "_children", "_tag")

    def __init__(
        self,
        tag: str,
        attributes: dict[str, str | float | None],
        children: Iterable[Element | str] = (),
    ) -> None:
        self._tag = tag
        self._attributes = attributes
        self._children = list(children)

    def __html__(self) -> str:
        written = "".join(
            f' {name}="{escape(_value(value))}"'
            for name, value in self._attributes.items()
            if value is not None
        )
        if not self._children:
            return f"<{self._tag}{written}/>"
        inside = "".join(str(escape(child)) for child in self._children)
        return f"<{self._tag}{written}>{inside}</{self._tag}>"


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Return a coordinate, short."""
    text = f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def drawing(
    identity: str,
    width: float,
    height: float,
    children: Iterable[Element],
    *,
    title: str,
    description: str,
) -> Element:
    """Return a picture that says what it shows to those who cannot see it."""
    return Element(
        "svg",
        {
            "viewBox": f"0 0 {number(width)} {number(height)}",
            "width": width,
            "height": height,
            "role": "img",
            "aria-labelledby": f"{identity}-title {identity}-desc",
        },
        [
            Element("title", {"id": f"{identity}-title"}, [title]),
            Element("desc", {"id": f"{identity}-desc"}, [description]),
            *children,
        ],
    )


def mark(width: float, height: float, children: Iterable[Element]) -> Element:
    """Return a picture beside a number that says the same: nothing to those who cannot see it."""
    return Element(
        "svg",
        {
            "class": "mark",
            "viewBox": f"0 0 {number(width)} {number(height)}",
            "width": width,
            "height": height,
            "aria-hidden": "true",
        },
        children,
    )


def line(start: Point, end: Point, css: str) -> Element:
    """Return a straight line."""
    return Element(
        "line", {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1], "class": css}
    )


def rectangle(corner: Point, width: float, height: float, css: str) -> Element:
    """Return a rectangle from its upper left corner on."""
    return Element(
        "rect",
        {"x": corner[0], "y": corner[1], "width": width, "height": height, "class": css},
    )


def circle(centre: Point, radius: float, css: str) -> Element:
    """Return a circle."""
    return Element("circle", {"cx": centre[0], "cy": centre[1], "r": radius, "class": css})


def diamond(centre: Point, radius: float, css: str) -> Element:
    """Return a square that stands on a corner."""
    x, y = centre
    corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
    return path(corners, css, closed=True)


def path(points: Iterable[Point], css: str, *, closed: bool = False) -> Element:
    """Return straight lines from point to point."""
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return Element("path", {"d": f"M{steps}{'Z' if closed else ''}", "class": css})


def whisker(low: float, high: float, y: float, css: str) -> Element:
    """Return a horizontal line with an upright one at each end."""
    left, right, top = number(low), number(high), number(y - _CAP)
    cap = number(2 * _CAP)
    steps = f"M{left} {number(y)}H{right}M{left} {top}v{cap}M{right} {top}v{cap}"
    return Element("path", {"d": steps, "class": css})


def squares(corners: Iterable[Point], size: float, css: str) -> Element:
    """Return many equal squares as one element."""
    side = number(size)
    steps = "".join(f"M{number(x)} {number(y)}h{side}v{side}h-{side}z" for x, y in corners)
    return Element("path", {"d": steps, "class": css})


def text(
    at: Point, content: str, css: str, anchor: Anchor = "start", *, turned: float | None = None
) -> Element:
    """Return a line of our own words, turned clockwise by degrees, if at all."""
    x, y = at
    return Element(
        "text",
        {
            "x": x,
            "y": y,
            "class": css,
            "text-anchor": None if anchor == "start" else anchor,
            "transform": None
            if turned is None
            else f"rotate({number(turned)} {number(x)} {number(y)})",
        },
        [content],
    )


def name(
    at: Point,
    content: str,
    css: str,
    anchor: Anchor = "start",
    *,
    width: int,
    turned: float | None = None,
) -> Element:
    """Return the name of a class, in at most so many columns."""
    return text(at, isolated(content, width), css, anchor, turned=turned)


def with_title(element: Element, words: str) -> Element:
    """Return an element with what a pointer that rests on it is told."""
    return Element("g", {}, [Element("title", {}, [words]), element])
