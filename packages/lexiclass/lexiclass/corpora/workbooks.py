"""Tables in workbooks: Excel and OpenDocument."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, on_disk
from lexiclass.errors import DocumentUnreadable, InvalidParameters
from lexiclass.extraction import read_rows
from lexiclass.extraction.formats import EXCEL

_READER: Final = "lexiclass.extraction.workbook:batches"


def read_workbook(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read every sheet whose first row has the columns that are wanted.

    Raises:
        InvalidParameters: If it can't be read, or no sheet has the columns.
    """
    if command := EXCEL.install_command:
        raise InvalidParameters(
            f"{file.name}: what reads workbooks is not installed; run: {command}"
        )
    failures: list[InvalidParameters] = []
    found = False
    with on_disk(file) as opened:
        try:
            for sheet, rows in groupby(
                read_rows(_READER, opened, longest=wanted.max_bytes), key=lambda row: str(row[0])
            ):
                name = f"{file.name}:{sheet}"
                header = _header(next(rows)[2])
                try:
                    columns = wanted.columns.require(
                        header,
                        labelled=wanted.labelled,
                        source=name,
                        texts_needed=wanted.texts_needed,
                    )
                except InvalidParameters as error:
                    # Of a workbook with several sheets most have one that is the table.
                    failures.append(error)
                    continue
                found = True
                for _, number, cells in rows:
                    yield _record(f"{name}:{number}", header, cells, columns.text)
        except DocumentUnreadable as error:
            raise InvalidParameters(f"{file.name}: {error.reason}; save it anew as .csv") from error
    if not found:
        raise failures[0] if failures else InvalidParameters(f"{file.name}: has no rows")
    for failure in failures:
        yield Refusal(file.name, f"a sheet was left out: {failure.message}")


def _header(cells: list[Any]) -> list[str]:
    return ["" if cell is None else str(cell).strip() for cell in cells[: _width(cells)]]


def _width(cells: list[Any]) -> int:
    """Up to the last cell that holds something."""
    return max((n for n, cell in enumerate(cells, start=1) if cell is not None), default=0)


def _record(
    where: str, header: list[str], cells: list[Any], text: str | None
) -> SourceRecord | Refusal:
    if (width := _width(cells)) > len(header):
        return Refusal(where, f"has {width} columns, the first line has {len(header)}")
    values = {name: cell for name, cell in zip(header, cells, strict=False) if name}
    if text is not None and values.get(text) is not None:
        # A text that looks like a number or a date was made one by Excel.
        values[text] = str(values[text])
    return SourceRecord(where, values)
