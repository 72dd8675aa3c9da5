"""Quotes that are not closed where they should be: do they swallow rows?

Such a quote ends at the next one before a delimiter or a line end, wherever that is: at an inch
sign, say. What lies between is a text of several lines by the rules (RFC 4180), and rows to whoever
wrote them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence


def lines_as_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Read each line of a row of several as a row of its own, but for blank ones.

    Args:
        lines: The lines. A quote opens in the first that is not closed there; it is left out.
        delimiter: Separates columns.
    """
    first, *others = lines
    opens = first.rfind(f'{delimiter}"') + 1
    whole = first[:opens] + first[opens:].removeprefix('"')
    return [_row(line, delimiter) for line in (whole, *others) if line.strip()]


def could_be_row(row: Sequence[str], width: int) -> bool:
    """Whether a line that was read as a row may be one.

    In running text a comma is followed by a blank or ends the line; between columns it is not.

    Args:
        row: The line's columns.
        width: Columns of a row.
    """
    return len(row) == width and all(cell and not cell[0].isspace() for cell in row)


def _row(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE))
