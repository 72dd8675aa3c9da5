"""The rows of a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from lexiclass.errors import DocumentUnreadable

_BATCH: Final = 500
# What the library of that name writes into the schema: the names of classes that are numbers.
_HUGGING_FACE: Final = b"huggingface"


def batches(file: BinaryIO) -> Iterator[list[Any]]:
    """Return the names of the columns, then the rows, in batches.

    A row is its values by name of column, and whether some bytes of it are no UTF-8: they are
    U+FFFD.

    Raises:
        DocumentUnreadable: If it is no Parquet file.
    """
    try:
        table = ParquetFile(file)
        classes = _class_names(table.schema_arrow.metadata or {})
        yield [table.schema_arrow.names]
        for batch in table.iter_batches(batch_size=_BATCH, use_threads=False):
            yield [_row(row, classes) for row in batch.to_pylist()]
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DocumentUnreadable("damaged") from error


def _row(row: dict[str, Any], classes: dict[str, list[str]]) -> tuple[dict[str, Any], bool]:
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
