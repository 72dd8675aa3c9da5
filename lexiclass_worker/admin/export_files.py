"""Records as files that others read: CSV, JSON lines, Parquet, tasks for Label Studio."""

import codecs
import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Protocol
from uuid import uuid4

from lexiclass.corpora import GUARDED
from lexiclass_worker.admin import label_studio
from lexiclass_worker.admin.export_formats import ExportFormat
from lexiclass_worker.admin.spreadsheet_cells import disarm, without_controls
from lexiclass_worker.errors import InvalidRequest

Record = dict[str, Any]
"""Plain values by the names of their columns."""


# Terminals act upon some of these, and others end a line for whoever reads lines by splitlines().
_SPLITTING: Final = re.compile("[\x7f-\x9f\u2028\u2029]")


class RecordWriter(Protocol):
    """Writes records as they come."""

    def write(self, records: Sequence[Record]) -> None:
        """Write some more."""
        ...

    def close(self) -> None:
        """Write what belongs at the end; the file stays open."""
        ...


class CsvWriter:
    """UTF-8, a header, lines that end in a line feed, quoted as RFC 4180 has it.

    Args:
        columns: Their names; others are left out.
        is_guarded: Whether texts that a spreadsheet would take for formulas are disarmed. If there
            is a column for it, it names those of a row that were, so that an import can undo it.
        has_mark: Whether it begins with a byte order mark, by which Excel knows UTF-8.
    """

    def __init__(
        self, file: IO[bytes], columns: Sequence[str], *, is_guarded: bool, has_mark: bool
    ) -> None:
        self._file = file
        self._columns = columns
        self._is_guarded = is_guarded
        file.write((codecs.BOM_UTF8 if has_mark else b"") + _csv_lines([columns]))

    def write(self, records: Sequence[Record]) -> None:
        self._file.write(_csv_lines(map(self._row, records)))

    def close(self) -> None:
        """See :class:`RecordWriter`."""

    def _row(self, record: Record) -> list[object]:
        cells = {name: self._cell(record.get(name)) for name in self._columns}
        if GUARDED in cells:
            guarded = [
                name for name, cell in cells.items() if self._is_disarmed(record, name, cell)
            ]
            cells[GUARDED] = " ".join(guarded)
        return list(cells.values())

    @staticmethod
    def _is_disarmed(record: Record, name: str, cell: object) -> bool:
        value = record.get(name)
        return isinstance(value, str) and cell != without_controls(value)

    def _cell(self, value: object) -> object:
        match value:
            case str():
                text = without_controls(value)
                return disarm(text) if self._is_guarded else text
            case datetime():
                return value.isoformat()
            case _:
                return value


class JsonLinesWriter:
    """An object a line, in UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, records: Sequence[Record]) -> None:
        self._file.write(b"".join(_json(record) + b"\n" for record in records))

    def close(self) -> None:
        """See :class:`RecordWriter`."""


class LabelStudioWriter:
    """A JSON array of tasks."""

    def __init__(self, file: IO[bytes], field: str) -> None:
        self._file = file
        self._field = field
        self._before = b"[\n"

    def write(self, records: Sequence[Record]) -> None:
        # Of a text that cannot be read Label Studio has nothing to show.
        for record in (record for record in records if record["text"] is not None):
            self._file.write(self._before + _json(label_studio.task(record, self._field)))
            self._before = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


class ParquetWriter:
    """Parquet, a row group for each page of records.

    Raises:
        InvalidRequest: If pyarrow is not installed.
    """

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise InvalidRequest(
                "Parquet needs pyarrow, which is not installed: pip install 'pyarrow>=20.0'"
            ) from error
        types = {
            "document_id": pa.int64(),
            "model_version": pa.int32(),
            "confidence": pa.float64(),
            "score": pa.float64(),
            "familiarity": pa.float64(),
            "unfamiliar": pa.bool_(),
            "is_accepted": pa.bool_(),
            "predicted_at": pa.timestamp("us", tz="UTC"),
        }
        self._table = pa.Table
        self._schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
        self._writer = parquet.ParquetWriter(file, self._schema)

    def write(self, records: Sequence[Record]) -> None:
        encodable = [
            {name: _encodable(value) for name, value in record.items()} for record in records
        ]
        self._writer.write_table(self._table.from_pylist(encodable, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def open_writer(
    file: IO[bytes],
    chosen: ExportFormat,
    columns: Sequence[str],
    *,
    field: str,
    is_guarded: bool = True,
    has_mark: bool = False,
) -> RecordWriter:
    """Write records in a format.

    ``columns`` are those of CSV and Parquet; the others write what a record has. ``field`` is for
    :class:`LabelStudioWriter`, what follows for :class:`CsvWriter`.

    Raises:
        InvalidRequest: If what writes the format is not installed.
    """
    match chosen:
        case ExportFormat.CSV:
            return CsvWriter(file, columns, is_guarded=is_guarded, has_mark=has_mark)
        case ExportFormat.JSONL:
            return JsonLinesWriter(file)
        case ExportFormat.PARQUET:
            return ParquetWriter(file, columns)
        case ExportFormat.LABEL_STUDIO:
            return LabelStudioWriter(file, field)


def _csv_lines(rows: Any) -> bytes:
    lines = io.StringIO()
    plain = csv.writer(lines, lineterminator="\n")
    quoted = csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        # The module quotes what it ends lines with, but a lone CR ends a line for readers too.
        has_cr = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if has_cr else plain).writerow(row)
    return lines.getvalue().encode()


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, default=datetime.isoformat)
    escaped = _SPLITTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    # A lone surrogate, which no encoding has, is what JSON writes as this very escape.
    return escaped.encode(errors="backslashreplace")


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """A file that appears complete or not at all; None is the standard output.

    What is there already and is no regular file, such as a pipe, is written to.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    # A link goes on leading to what it leads to.
    target = path.resolve()
    staging = target.with_name(f".{target.name}.{uuid4().hex}.partial")
    try:
        with staging.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)
