"""Tables as text: .csv, .tsv and their like.

In a .tsv file a quote is text: a row is a line, a field what is between tabs. Elsewhere a field
that begins with a quote ends with the next one that is not doubled (RFC 4180), lines and delimiters
inside it included. One that is not closed, is followed by anything but a delimiter, or ends so late
that it swallows rows, costs the line it opens in: reading goes on with the next line.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal

from lexiclass.corpora.columns import FoundColumns, folded
from lexiclass.corpora.open_quotes import Lines, OpenQuotes
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.corpora.text_files import TextFile
from lexiclass.errors import InvalidParameters

#: Remark on a row that ends before its last column.
SHORT_ROW: Final = "fewer columns than the first line"
#: Remark on a row of several lines, whose place names the first and the last of them.
MAYBE_ROWS: Final = "several lines in quotes, each of which could be a row; is the quote closed?"

_DELIMITERS: Final = (",", ";", "\t", "|")
_TAB: Final = "\t"
# Of a row, and in memory: no document has more.
_MOST_LINES: Final = 200_000
_NOT_CLOSED: Final = "unexpected end of data"  # in the words of the module csv
# What Excel takes for a word on the delimiter, in the first line.
_STATED: Final = re.compile(r'\ufeff?"?sep=(.)"?[ ,;]*', re.IGNORECASE)


def read_table(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read a table, whose first line names its columns.

    Raises:
        InvalidParameters: If it is no text, lacks a column or has one twice, or has a quote that is
            not closed for longer than a document can be.
    """
    text = TextFile.open(file, max_bytes=wanted.max_bytes)
    # A field that is too large a document is refused later, as one; this keeps memory bounded.
    csv.field_size_limit(text.max_line)
    lines = _Lines(text.lines())
    quoting: Literal[0, 3] = csv.QUOTE_NONE if file.suffix == ".tsv" else csv.QUOTE_MINIMAL
    delimiter = _delimiter(lines, wanted, quoting)
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        first = next((row for row in reader if row), [])
    except csv.Error as error:
        raise InvalidParameters(
            f"{file.name}:{lines.number}: the first line is no row: {error}"
        ) from error
    header = [text.mend(name.strip())[0] for name in first]
    columns = wanted.columns.require(
        header, labelled=wanted.labelled, source=file.name, texts_needed=wanted.texts_needed
    )
    yield from _Rows(text, lines, reader, header, columns).read()


class _Lines:
    """Lines of a table, some of which may be read once more."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == _MOST_LINES:
            raise csv.Error(_NOT_CLOSED)
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self.taken.append(line)
        return line

    def go_back(self, *, keep: int) -> None:
        """Have the lines that were read since the last row, but the first few, read once more."""
        again = self.taken[keep:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)
        self.taken.clear()


class _Rows:
    """Reads the rows after the first."""

    def __init__(
        self, text: TextFile, lines: _Lines, reader: Any, header: list[str], columns: FoundColumns
    ) -> None:
        self._text = text
        self._lines = lines
        self._reader = reader
        self._header = header
        self._quotes = OpenQuotes(
            delimiter=reader.dialect.delimiter,
            width=len(header),
            text_place=None if columns.text is None else header.index(columns.text),
            label_places=[header.index(n) for n in columns.labels.values() if n is not None],
            quotes_all="".join(lines.taken).count('"') >= 2 * len(header),
        )

    def read(self) -> Iterator[SourceRecord | Refusal]:
        """Yield a record or a refusal for each row."""
        lines, reader, width = self._lines, self._reader, len(self._header)
        name = self._text.file.name
        while True:
            lines.taken.clear()
            where = f"{name}:{lines.number + 1}"
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._resume(where, str(error))
                continue
            if not row:
                continue
            remarks: tuple[str, ...] = ()
            if len(lines.taken) > 1:
                found = self._quotes.judge(row, lines.taken)
                if found is Lines.ROWS:
                    lines.go_back(keep=1)
                    yield Refusal(where, "opens a quote that is not closed before the next rows")
                    continue
                if found is Lines.MAYBE_ROWS:
                    remarks = (MAYBE_ROWS,)
                if remarks or len(row) > width:
                    where = f"{where}-{lines.number}"
            if len(row) > width:
                yield Refusal(where, f"has {len(row)} columns, the first line has {width}")
            else:
                yield self._record(where, row, remarks)

    def _record(self, where: str, row: list[str], remarks: tuple[str, ...]) -> SourceRecord:
        encoding = self._text.encoding
        if self._text.has_bad_bytes and not "".join(row).isascii():
            row, encoding, mended = self._mend(row)
            remarks += mended
        if len(row) < len(self._header):
            row += [""] * (len(self._header) - len(row))
            remarks += (SHORT_ROW,)
        else:
            self._quotes.note(row)
        return SourceRecord(where, dict(zip(self._header, row, strict=True)), encoding, remarks)

    def _mend(self, row: list[str]) -> tuple[list[str], str, tuple[str, ...]]:
        try:
            "".join(row).encode()
        except UnicodeEncodeError:
            pass
        else:
            return row, self._text.encoding, ()
        mended = [self._text.mend(value) for value in row]
        encoding = next((each for _, each, remark in mended if remark), self._text.encoding)
        remarks = dict.fromkeys(remark for _, _, remark in mended if remark is not None)
        return [value for value, _, _ in mended], encoding, tuple(remarks)

    def _resume(self, where: str, reason: str) -> Refusal:
        """Refuse a row whose quotes are wrong, and go on after the line it begins in."""
        lines = self._lines
        if "field limit" in reason:
            raise InvalidParameters(
                f"{where}: a field has more than {self._text.max_line:,} characters; if a quote "
                "opens here that is not closed, close it, or double it if it is text"
            )
        lines.go_back(keep=1)
        if _NOT_CLOSED in reason:
            return Refusal(where, "opens a quote that is not closed")
        return Refusal(where, f"has a quote in the midst of a field: {reason}")


def _delimiter(lines: _Lines, wanted: Wanted, quoting: Literal[0, 3]) -> str:
    """The delimiter under which the first line has most of the columns that are wanted."""
    first = next((line for line in lines if line.strip()), "")
    stated = _STATED.fullmatch(first.rstrip("\r\n"))
    if stated is not None:
        return stated[1]
    lines.go_back(keep=len(lines.taken) - 1)
    columns = wanted.columns
    needed = {columns.text, *columns.labels.values(), columns.split or "split", columns.id or "id"}
    names = {folded(name) for name in needed}
    order = (_TAB, *_DELIMITERS) if quoting == csv.QUOTE_NONE else _DELIMITERS

    def num_found(delimiter: str) -> int:
        try:
            header = next(csv.reader([first], delimiter=delimiter, quoting=quoting), [])
        except csv.Error:
            return 0
        return len(names & {folded(name) for name in header})

    return max(order, key=num_found)
