"""Rows of tables that are no text, read in a process of their own as documents are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from lexiclass.extraction.process import ExtractionLimits, ParserProcess

# A sheet, and a row group, is in memory as a whole.
_LIMITS: Final = ExtractionLimits(
    seconds=120.0, clock_seconds=2_400.0, memory_bytes=4 * 2**30, text_bytes=512 * 2**20
)


def read_rows(
    function: str, file: BinaryIO, limits: ExtractionLimits = _LIMITS, **arguments: Any
) -> Iterator[Any]:
    """Return what a function makes of a file, an item at a time.

    The function, ``"package.module:function"``, takes the file, which must have a descriptor, and
    arguments that are JSON; it returns batches of items that can be JSON. Limits are of a batch.

    Raises:
        DocumentUnreadable: If the file can't be read, or not within the limits.
    """
    process = ParserProcess(limits, file)
    try:
        for answer in process.ask(function, **arguments):
            yield from answer["rows"]
    finally:
        process.close()
