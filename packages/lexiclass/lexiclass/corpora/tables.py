"""Tables as text: .csv, .tsv and their like."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.corpora.text_files import encoding_of

_DELIMITERS: Final = {".tsv": "\t"}


def read_table(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read a table, whose first line names its columns.

    Args:
        file: The table.
        wanted: What is wanted of it.

    Raises:
        InvalidParameters: If it is no text, lacks a column or has one twice.
    """
    csv.field_size_limit(wanted.max_bytes)
    encoding = encoding_of(file)
    with io.TextIOWrapper(file.open(), encoding=encoding, newline="") as lines:
        reader = csv.reader(lines, delimiter=_DELIMITERS.get(file.suffix, ","))
        header = [name.strip() for name in next(reader, [])]
        wanted.columns.require(header, labelled=wanted.labelled, source=file.name)
        yield from _rows(reader, header, file.name, encoding)


def _rows(
    reader: Any, header: list[str], name: str, encoding: str
) -> Iterator[SourceRecord | Refusal]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            yield Refusal(f"{name}:{reader.line_num}", f"not readable as a table: {error}")
            if isinstance(error, UnicodeDecodeError):
                return  # a decoder that has failed cannot go on
            continue
        where = f"{name}:{reader.line_num}"
        if len(row) > len(header):
            yield Refusal(where, f"has {len(row)} columns, the first line has {len(header)}")
        elif row:
            padded = [*row, *[None] * (len(header) - len(row))]
            yield SourceRecord(where, dict(zip(header, padded, strict=True)), encoding)
