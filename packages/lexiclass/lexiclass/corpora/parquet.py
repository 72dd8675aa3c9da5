"""Tables in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted, on_disk
from lexiclass.errors import DocumentUnreadable, InvalidParameters
from lexiclass.extraction import read_rows
from lexiclass.extraction.formats import PARQUET

_READER: Final = "lexiclass.extraction.parquet:batches"


def read_parquet(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:  # noqa: ARG001
    """Read the rows of a Parquet file.

    Args:
        file: The file.
        wanted: What is wanted of it.

    Raises:
        InvalidParameters: If it can't be read.
    """
    if command := PARQUET.install_command:
        raise InvalidParameters(f"{file.name}: what reads Parquet is not installed; run: {command}")
    with on_disk(file) as opened:
        try:
            for number, row in enumerate(read_rows(_READER, opened), start=1):
                yield SourceRecord(f"{file.name}:{number}", row)
        except DocumentUnreadable as error:
            raise InvalidParameters(f"{file.name}: {error.reason}; save it anew as .csv") from error
