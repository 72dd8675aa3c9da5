"""The rows of a Parquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from lexiclass.errors import DocumentUnreadable

_BATCH: Final = 500
_BATCH_BYTES: Final = 2**24
# Rows that are all alike take no room: so many for a byte of the file, beside the first 100,000,
# are there to keep whoever reads them busy.
_ROWS_FOR_A_BYTE: Final = 100
_LIKELY_ROWS: Final = 100_000
# What the library of that name writes into the schema: the names of classes that are numbers.
_HUGGING_FACE: Final = b"huggingface"


def batches(file: BinaryIO, longest: int) -> Iterator[list[Any]]:
    """Return the names of the columns, then the rows, in batches.

    A row is its values by name of column, and whether some bytes of it are no UTF-8: they are
    U+FFFD. Texts of more characters than ``longest`` are cut to one more.

    Raises:
        DocumentUnreadable: If it is no Parquet file, or has more rows than a table of its size.
    """
    try:
        table = ParquetFile(file)
        _require_likely(table, file)
        classes = _class_names(table.schema_arrow.metadata or {})
        yield [table.schema_arrow.names]
        for batch in table.iter_batches(batch_size=_BATCH, use_threads=False):
            # A value that stands there once can be that of many rows.
            size = max(1, _BATCH_BYTES * len(batch) // max(batch.nbytes, 1))
            for start in range(0, len(batch), size):
                rows = batch.slice(start, size).to_pylist()
                yield [_row(row, classes, longest) for row in rows]
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DocumentUnreadable("damaged") from error


def _require_likely(table: ParquetFile, file: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    if table.metadata.num_rows > _LIKELY_ROWS + _ROWS_FOR_A_BYTE * size:
        raise DocumentUnreadable(f"has {table.metadata.num_rows:,} rows in {size:,} bytes")


def _row(
    row: dict[str, Any], classes: dict[str, list[str]], longest: int
) -> tuple[dict[str, Any], bool]:
    for column, value in row.items():
        if isinstance(value, str) and len(value) > longest:
            row[column] = value[: longest + 1]
    for column, names in classes.items():
        value = row.get(column)
        if isinstance(value, int) and 0 <= value < len(names):
            row[column] = names[value]
        elif value == -1:
            row[column] = None
    plain = _Plain()
    found: dict[str, Any] = json.loads(json.dumps(row, default=plain))
    return found, plain.has_replaced


class _Plain:
    """Makes text of what JSON has no value for."""

    has_replaced = False

    def __call__(self, value: Any) -> str:
        if not isinstance(value, bytes):
            return str(value)
        try:
            return value.decode()
        except UnicodeDecodeError:
            self.has_replaced = True
            return value.decode("utf-8", "replace")


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    try:
        features = json.loads(metadata.get(_HUGGING_FACE, b"{}"))["info"]["features"]
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
