"""The rows of a workbook: Excel's .xlsx, .xlsm, .xlsb and .xls, and OpenDocument's .ods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from lexiclass.errors import DocumentUnreadable

_BATCH: Final = 500
# Floats above this are further apart than 1.
_EXACT: Final = 2**53


def batches(file: BinaryIO) -> Iterator[list[tuple[str, int, list[Any]]]]:
    """Return the rows of all sheets with the sheet's name and the row's number, in batches.

    Cells are text, numbers, truth values or None. Numbers that are whole are integers, as Excel
    shows them; dates are in ISO 8601.

    Raises:
        DocumentUnreadable: If it is no workbook or protected by a password.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(file)
    except PasswordError as error:
        raise DocumentUnreadable("protected by a password; save it without") from error
    except CalamineError as error:
        raise DocumentUnreadable("damaged") from error
    rows = (row for name in workbook.sheet_names for row in _rows(workbook, name))
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _rows(workbook: CalamineWorkbook, name: str) -> Iterator[tuple[str, int, list[Any]]]:
    sheet = workbook.get_sheet_by_name(name)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_cell(cell) for cell in row]
        if any(cell is not None for cell in cells):
            yield name, number, cells


def _cell(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return int(cell)
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        return str(cell)
    return cell
