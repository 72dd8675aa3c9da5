"""Which classes are taken for which: a heat map of the cells of the confusion matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from lexiclass.report.model import ClassFigures, Confused
from lexiclass.report.page import svg, wording
from lexiclass.report.page.names import cleaned, columns, isolated
from lexiclass.report.page.svg import Element, Point

MOST_CLASSES: Final = 60
"""Of more classes the cells are too small to be told apart."""

LEVELS: Final = 6
"""Of shade, the faintest for what is more than nothing."""

_MOST_WITH_NUMBERS: Final = 20
_MOST_WITH_NAMES_ABOVE: Final = 12
_STRONG: Final = 5
"""From which level on a number has the colour of the paper."""

_ROOMY: Final = 30
"""How large a cell is that numbers of four digits fit in."""

_MOST_TITLES: Final = 60
_NAME_WIDTH: Final = 20
_WIDTH_ABOVE: Final = 16
_COLUMN: Final = 6.6
"""How wide a character is, about."""

_SINE: Final = 0.75
"""By which names above columns go up while they go right."""


@dataclass(frozen=True, slots=True)
class _Cell:
    row: int
    column: int
    num_documents: int
    level: int

    @property
    def css(self) -> str:
        return f"{'right' if self.row == self.column else 'wrong'}-{self.level}"


@dataclass(frozen=True, slots=True)
class _Layout:
    size: float
    left: float
    top: float
    right: float
    named_above: bool

    @classmethod
    def of(cls, classes: Sequence[ClassFigures]) -> _Layout:
        number = len(classes)
        longest = max(columns(cleaned(each.name, _NAME_WIDTH)) for each in classes)
        if number > _MOST_WITH_NAMES_ABOVE:
            left = 30 + min(longest, _NAME_WIDTH - 2) * _COLUMN
            return cls(max(14.0, min(24.0, 480 / number)), left, 40, 4, named_above=False)
        slanted = min(longest, _WIDTH_ABOVE) * _COLUMN * _SINE
        left = 12 + longest * _COLUMN
        size = max(24.0, min(64.0, (408 - left - slanted) / number))
        return cls(size, left, 34 + slanted, max(4.0, slanted - size / 2), named_above=True)

    def corner(self, row: int, column: int) -> Point:
        return self.left + column * self.size, self.top + row * self.size


def confusion_chart(classes: Sequence[ClassFigures], confusions: Sequence[Confused]) -> Element:
    """Draw at most :data:`MOST_CLASSES`: a row is a true class, a column a predicted one."""
    number = len(classes)
    layout = _Layout.of(classes)
    cells = _cells(classes, confusions)
    return svg.drawing(
        "confusion",
        layout.left + number * layout.size + layout.right,
        layout.top + number * layout.size + 4,
        [
            *_names(classes, layout),
            *_shades(cells, layout),
            *_grid(number, layout),
            *(_numbers(cells, layout) if number <= _MOST_WITH_NUMBERS else ()),
            *_titles(classes, cells, layout),
        ],
        title="Which classes are taken for which",
        description=(
            f"{number} rows of true classes and as many columns of predicted ones. Cells from the "
            "upper left to the lower right are right, all others are mistakes. The table has the "
            "largest."
        ),
    )


def _cells(classes: Sequence[ClassFigures], confusions: Sequence[Confused]) -> list[_Cell]:
    places = {each.name: index for index, each in enumerate(classes)}
    support = [max(1, each.support) for each in classes]
    mistakes = [
        (places[each.true], places[each.predicted], each.num_documents)
        for each in confusions
        if each.num_documents and each.true in places and each.predicted in places
    ]
    most = max((count / support[row] for row, _, count in mistakes), default=1.0)
    return [
        *(
            _Cell(index, index, each.hits, _level(each.hits / support[index]))
            for index, each in enumerate(classes)
            if each.hits
        ),
        *(
            _Cell(row, column, count, _level(count / support[row] / most))
            for row, column, count in mistakes
        ),
    ]


def _level(share: float) -> int:
    return max(1, min(LEVELS, ceil(share * LEVELS - 1e-9)))


def _shades(cells: Sequence[_Cell], layout: _Layout) -> Iterator[Element]:
    """One element a shade: thousands of cells take some kilobytes."""
    corners: defaultdict[str, list[Point]] = defaultdict(list)
    for cell in cells:
        corners[cell.css].append(layout.corner(cell.row, cell.column))
    for css in sorted(corners):
        yield svg.squares(corners[css], layout.size, css)


def _grid(number: int, layout: _Layout) -> Iterator[Element]:
    for index in range(number + 1):
        x, y = layout.corner(index, index)
        (left, top), (right, bottom) = layout.corner(0, 0), layout.corner(number, number)
        yield svg.line((left, y), (right, y), "cell-edge")
        yield svg.line((x, top), (x, bottom), "cell-edge")


def _names(classes: Sequence[ClassFigures], layout: _Layout) -> Iterator[Element]:
    css = "tick" if layout.size >= 18 else "tick small"
    middle = layout.size / 2
    yield svg.text((0, 11), "true class ↓   predicted class →", "label")
    for index, each in enumerate(classes):
        x, y = layout.corner(index, index)
        if layout.named_above:
            at = (x + middle + 3, layout.top - 8)
            yield svg.name(at, each.name, css, width=_WIDTH_ABOVE, turned=-48)
            yield svg.name(
                (layout.left - 7, y + middle + 4), each.name, css, "end", width=_NAME_WIDTH
            )
            continue
        yield svg.text((x + middle, layout.top - 6), str(index + 1), css, "middle")
        yield svg.text((layout.left - 6, y + middle + 3.5), str(index + 1), css, "end")
        at = (layout.left - 24, y + middle + 3.5)
        yield svg.name(at, each.name, css, "end", width=_NAME_WIDTH - 2)


def _numbers(cells: Sequence[_Cell], layout: _Layout) -> Iterator[Element]:
    middle = layout.size / 2
    for cell in cells:
        x, y = layout.corner(cell.row, cell.column)
        css = "cell strong" if cell.level >= _STRONG else "cell"
        if layout.size < _ROOMY:
            css += " small"
        number = _short(cell.num_documents, 10_000 if layout.size >= _ROOMY else 1_000)
        yield svg.text((x + middle, y + middle + 4), number, css, "middle")


def _titles(
    classes: Sequence[ClassFigures], cells: Sequence[_Cell], layout: _Layout
) -> Iterator[Element]:
    """Say of the largest mistakes what they are, to a pointer that rests on them."""
    mistakes = sorted(
        (cell for cell in cells if cell.row != cell.column), key=lambda cell: -cell.num_documents
    )
    for cell in mistakes[:_MOST_TITLES]:
        true, predicted = classes[cell.row], classes[cell.column]
        words = (
            f"{isolated(true.name, 30)} taken for {isolated(predicted.name, 30)}: "
            f"{wording.count(cell.num_documents)} of {wording.count(true.support)}"
        )
        corner = layout.corner(cell.row, cell.column)
        yield svg.with_title(svg.rectangle(corner, layout.size, layout.size, "hit"), words)


def _short(number: int, thousands_from: int) -> str:
    """Return a number that fits a cell; large ones in thousands."""
    if number < thousands_from:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 9_950 else f"{number / 1000:.0f}k"
