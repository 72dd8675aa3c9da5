"""Tables in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lexiclass.corpora.records import REPLACED_BYTES, Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, on_disk
from lexiclass.errors import DocumentUnreadable, InvalidParameters
from lexiclass.extraction import read_rows
from lexiclass.extraction.formats import PARQUET

_READER: Final = "lexiclass.extraction.parquet:batches"


def read_parquet(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read the rows of a Parquet file.

    Raises:
        InvalidParameters: If it can't be read, or has a column that is wanted twice.
    """
    if command := PARQUET.install_command:
        raise InvalidParameters(f"{file.name}: what reads Parquet is not installed; run: {command}")
    with on_disk(file) as opened:
        try:
            rows = read_rows(_READER, opened, longest=wanted.max_bytes)
            _require_once(next(rows), file, wanted)
            for number, (row, has_replaced) in enumerate(rows, start=1):
                remarks = (REPLACED_BYTES,) if has_replaced else ()
                yield SourceRecord(f"{file.name}:{number}", row, remarks=remarks)
        except DocumentUnreadable as error:
            raise InvalidParameters(f"{file.name}: {error.reason}; save it anew as .csv") from error


def _require_once(names: list[str], file: SourceFile, wanted: Wanted) -> None:
    try:
        wanted.columns.find(names)
    except InvalidParameters as error:
        raise InvalidParameters(f"{file.name}: {error.message}") from error
