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


def batches(file: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    """Return the rows by name of column, in batches.

    Raises:
        DocumentUnreadable: If it is no Parquet file.
    """
    try:
        table = ParquetFile(file)
        names = _class_names(table.schema_arrow.metadata or {})
        for batch in table.iter_batches(batch_size=_BATCH, use_threads=False):
            yield [_row(row, names) for row in batch.to_pylist()]
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DocumentUnreadable("damaged") from error


def _row(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    for column, classes in names.items():
        value = row.get(column)
        if isinstance(value, int) and 0 <= value < len(classes):
            row[column] = classes[value]
        elif value == -1:
            row[column] = None
    found: dict[str, Any] = json.loads(json.dumps(row, default=_plain))
    return found


def _plain(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


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
