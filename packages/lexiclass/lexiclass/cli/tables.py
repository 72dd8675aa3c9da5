"""Tables that fit where they are shown: nothing is cut, what matters least is folded.

Columns are given by importance. Where they do not all fit side by side, those that hold nothing are
left out and prose is wrapped; then the last columns go below their row, with their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lexiclass.cli.values import harmless, label, show

#: Spaces between two columns.
GAP: Final = 2
_INDENT: Final = 2
_NOTHING: Final = ("", "-")

T = TypeVar("T")

# Prose in a narrower column is hard to read.
_NARROWEST_PROSE: Final = 24


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Key of its value in each row.
        title: What stands above it; the name without its unit if not given.
        wraps: Whether its values are prose, which may take several lines.
    """

    name: str
    title: str = ""
    wraps: bool = False

    @property
    def header(self) -> str:
        """What stands above it."""
        return self.title or label(self.name)


def prose(name: str, title: str = "") -> Column:
    """A column whose values may take several lines."""
    return Column(name, title, wraps=True)


def render_rows(
    columns: Sequence[str | Column],
    rows: Iterable[Mapping[str, Any]],
    console: Console,
    *,
    gap: int = GAP,
) -> Iterator[Text]:
    """Lay out a table for the width of a console, line by line.

    Args:
        columns: By importance; the first is never folded.
        rows: Values by the names of the columns; others are left out. One that is a
            :class:`~rich.text.Text` keeps its style, and is a figure if it is justified to the
            right.
        console: Where it is to be printed.
        gap: Spaces between two columns.
    """
    known = [column if isinstance(column, Column) else Column(column) for column in columns]
    values = [[row[column.name] for column in known] for row in rows]
    cells = [[_cell(v, c.name) for v, c in zip(row, known, strict=True)] for row in values]
    natural = [
        max(cell_len(column.header), *(_width(row[place]) for row in cells), 0)
        for place, column in enumerate(known)
    ]
    if values and sum(natural) + gap * (len(natural) - 1) > console.width:
        kept = [place for place in range(len(known)) if place == 0 or _says(cells, place)]
        known, natural = [known[place] for place in kept], [natural[place] for place in kept]
        values, cells = _chosen(values, kept), _chosen(cells, kept)
    widths = _fit(known, natural, console.width, gap)
    sides = ["right" if _is_numeric(values, place) else "left" for place in range(len(known))]
    header = [Text(harmless(column.header), style="bold") for column in known]
    yield from _side_by_side(header, widths, sides, " " * gap, console)
    for row in cells:
        yield from _side_by_side(row, widths, sides, " " * gap, console)
        yield from _below(known[len(widths) :], row[len(widths) :], console)


def _cell(value: object, name: str) -> Text:
    return value if isinstance(value, Text) else Text(show(value, name))


def _width(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.expandtabs(8).split("\n")), default=0)


def _says(cells: Sequence[Sequence[Text]], place: int) -> bool:
    return any(row[place].plain not in _NOTHING for row in cells)


def _chosen(rows: Sequence[Sequence[T]], places: Sequence[int]) -> list[list[T]]:
    return [[row[place] for place in places] for row in rows]


def _is_numeric(values: Sequence[Sequence[object]], place: int) -> bool:
    found = [row[place] for row in values if row[place] is not None]
    return bool(found) and all(
        value.justify == "right" if isinstance(value, Text) else type(value) in (int, float)
        for value in found
    )


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int, gap: int) -> list[int]:
    """The widths of as many of the first columns as fit side by side."""
    for count in range(len(columns), 1, -1):
        wanted = natural[:count]
        least = [
            min(wish, max(_NARROWEST_PROSE, cell_len(column.header))) if column.wraps else wish
            for column, wish in zip(columns, wanted, strict=False)
        ]
        room = width - gap * (count - 1)
        if sum(least) <= room:
            return _share(least, wanted, room)
    return [min(natural[0], width) if columns[0].wraps else natural[0]]


def _share(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int]:
    """Give what is left to the columns that want more, to each the same."""
    widths = list(least)
    while (spare := room - sum(widths)) > 0:
        wanting = [place for place, wish in enumerate(wanted) if widths[place] < wish]
        if not wanting:
            break
        for place in wanting[:spare]:
            more = max(1, spare // len(wanting))
            widths[place] += min(more, wanted[place] - widths[place])
    return widths


def _side_by_side(
    cells: Sequence[Text], widths: Sequence[int], sides: Sequence[str], gap: str, console: Console
) -> Iterator[Text]:
    columns = [
        cell.wrap(console, width) if _width(cell) > width else cell.split("\n", allow_blank=True)
        for cell, width in zip(cells, widths, strict=False)
    ]
    for parts in zip_longest(*columns, fillvalue=Text()):
        line = Text()
        for place, (part, width) in enumerate(zip(parts, widths, strict=True)):
            padding = " " * (width - cell_len(part.plain))
            line.append(gap if place else "")
            if sides[place] == "right":
                line.append(padding).append_text(part)
            else:
                line.append_text(part).append(padding)
        line.rstrip()
        yield line


def _below(columns: Sequence[Column], cells: Sequence[Text], console: Console) -> Iterator[Text]:
    """What did not fit, with its names: prose on lines of its own."""
    said = [
        (column, cell)
        for column, cell in zip(columns, cells, strict=True)
        if cell.plain not in _NOTHING
    ]
    short = [f"{column.header} {cell.plain}" for column, cell in said if not column.wraps]
    if short:
        yield from _indented(", ".join(short), console)
    for column, cell in said:
        if column.wraps:
            yield from _indented(f"{column.header}: {cell.plain}", console)


def _indented(text: str, console: Console) -> Iterator[Text]:
    for line in Text(text, style="dim").wrap(console, max(1, console.width - _INDENT)):
        line.rstrip()
        yield Text(" " * _INDENT).append_text(line)
