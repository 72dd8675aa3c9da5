"""Quotes that are not closed where they should be: do they swallow rows?

Such a quote ends at the next one before a delimiter or a line end, wherever that is: at an inch
sign, say. What lies between is a text of several lines by the rules (RFC 4180), and rows to whoever
wrote them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import itemgetter
from typing import Any, Final

_KEPT_LABELS: Final = 10_000
# So many rows a class, and there will be few new ones.
_SETTLED: Final = 10


class Lines(Enum):
    """What the lines of a row of several are."""

    TEXT = "text"
    #: Text as far as one can tell, but each line would do as a record, if a refused one
    MAYBE_ROWS = "maybe rows"
    ROWS = "rows"


@dataclass(slots=True)
class OpenQuotes:
    """Tells quotes that swallow rows from those around a text of several lines.

    Attributes:
        delimiter: Separates columns.
        width: Columns of a row.
        text_place: Which of them is the text, if one is.
        label_places: Which of them are labels.
        quotes_all: Whether the first line has all of its columns in quotes, so that other rows will
            have.
    """

    delimiter: str
    width: int
    text_place: int | None
    label_places: Sequence[int]
    quotes_all: bool
    _label: Callable[[list[str]], Any] | None = None
    _labels: set[Any] = field(default_factory=set)
    _num_labels: int = 0

    def __post_init__(self) -> None:
        self._label = itemgetter(*self.label_places) if self.label_places else None

    def note(self, row: list[str]) -> None:
        """Note the labels of a row that has all of its columns."""
        if self._label is not None and len(self._labels) < _KEPT_LABELS:
            self._labels.add(self._label(row))
            self._num_labels += 1

    def judge(self, row: list[str], lines: Sequence[str]) -> Lines:
        """Say what the lines are, more than one, that a row was read from."""
        rows = _lines_as_rows(lines, self.delimiter)
        if self._are_rows(row, rows):
            return Lines.ROWS
        return Lines.MAYBE_ROWS if self._may_be_rows(row, rows) else Lines.TEXT

    def _are_rows(self, row: list[str], rows: list[list[str]]) -> bool:
        """Whether lines are rows themselves.

        They are if others have the labels that they have, or if all of them look like rows. Of a
        row that can't be used anyway, one of them is enough.
        """
        width = self.width
        if not self._is_usable(row):
            return not self.quotes_all and any(_looks_like_row(each, width) for each in rows[1:])
        whole = [each for each in rows if len(each) == width]
        if len(rows[0]) != width or len(rows[-1]) != width or max(map(len, rows)) > width:
            return False
        if self._label is not None:
            has_own = len(row) == width and not self.quotes_all
            known = {*self._labels, self._label(row)} if has_own else self._labels
            if all(self._label(each) in known for each in whole):
                return True
            # Where classes have long been the same, lines that name none of them are text.
            if self._num_labels > _SETTLED * len(self._labels) and not any(
                self._label(each) in self._labels for each in whole[:-1]
            ):
                return False
        if self.quotes_all:
            return False
        # A line that is short could be a row as well, where it is one of a few.
        return len(rows) < 2 * len(whole) and all(_looks_like_row(each, width) for each in whole)

    def _may_be_rows(self, row: list[str], rows: list[list[str]]) -> bool:
        """Whether lines would be records of their own, if refused ones, without the quote.

        All of them have as many columns as a row, or one looks like a row or has a label that
        others have. Where the text is the first column or the last, its last line or its first has
        the other columns beside it, and says nothing.
        """
        if len(rows) > 1 and all(len(each) >= self.width for each in rows):
            return True
        quoted = [number for number, cell in enumerate(row) if "\n" in cell or "\r" in cell]
        if not quoted:
            return False
        first = 0 if quoted[0] < self.width - 1 else 1
        last = len(rows) if quoted[0] else len(rows) - 1
        return any(
            _looks_like_row(each, self.width) or self._has_known_label(each)
            for each in rows[first:last]
        )

    def _has_known_label(self, row: list[str]) -> bool:
        if self._label is None or len(row) != self.width:
            return False
        return self._label([cell.strip() for cell in row]) in self._labels

    def _is_usable(self, row: list[str]) -> bool:
        """Whether a row has neither too many columns, nor no text, nor a label of several lines."""
        if len(row) > self.width:
            return False
        cells = [cell.strip() for cell in row] + [""] * (self.width - len(row))
        if self.text_place is not None and not cells[self.text_place]:
            return False
        return not any("\n" in cells[place] or "\r" in cells[place] for place in self.label_places)


def _lines_as_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Read each line of a row of several as a row of its own, but for blank ones.

    The quote that opens in the first and is not closed there is left out.
    """
    first, *others = lines
    opens = first.rfind(f'{delimiter}"') + 1
    whole = first[:opens] + first[opens:].removeprefix('"')
    return [_row(line, delimiter) for line in (whole, *others) if line.strip()]


def _looks_like_row(row: Sequence[str], width: int) -> bool:
    """Whether a line that was read as a row may be one.

    In running text a comma is followed by a blank or ends the line; between columns it is not.
    """
    return len(row) == width and all(cell and not cell[0].isspace() for cell in row)


def _row(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE))
