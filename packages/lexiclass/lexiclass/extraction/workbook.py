"""The rows of a workbook: Excel's .xlsx, .xlsm, .xlsb and .xls, and OpenDocument's .ods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, TypeGuard

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.batches import in_batches

# The specifications of Excel, and LibreOffice has as many.
_MOST_ROWS: Final = 2**20
# Floats above this are further apart than 1.
_EXACT: Final = 2**53


def batches(file: BinaryIO, longest: int) -> Iterator[list[tuple[str, int, list[Any]]]]:
    """Return the rows of all sheets with the sheet's name and the row's number, in batches.

    Cells are text, numbers, truth values or None. Numbers that are whole are integers, as Excel
    shows them; dates are in ISO 8601. Texts longer than ``longest`` characters are cut to one more.

    Raises:
        DocumentUnreadable: If it is no workbook, protected by a password, or has a sheet of more
            rows than those programs write.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(file)
    except PasswordError as error:
        raise DocumentUnreadable("protected by a password; save it without") from error
    except CalamineError as error:
        raise DocumentUnreadable("damaged") from error
    rows = (row for name in workbook.sheet_names for row in _rows(workbook, name, longest))
    yield from in_batches(rows, lambda row: sum(len(cell) for cell in row[2] if _is_text(cell)))


def _rows(
    workbook: CalamineWorkbook, name: str, longest: int
) -> Iterator[tuple[str, int, list[Any]]]:
    sheet = workbook.get_sheet_by_name(name)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > _MOST_ROWS:
            raise DocumentUnreadable(f"has a sheet of more than {_MOST_ROWS:,} rows")
        cells = [_cell(cell, longest) for cell in row]
        if any(cell is not None for cell in cells):
            yield name, number, cells


def _is_text(cell: Any) -> TypeGuard[str]:
    return isinstance(cell, str)


def _cell(cell: Any, longest: int) -> Any:
    if _is_text(cell):
        return cell[: longest + 1] or None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return int(cell)
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        return str(cell)
    return cell
