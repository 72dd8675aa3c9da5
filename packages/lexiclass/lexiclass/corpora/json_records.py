"""JSON: an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted


def read_json(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:  # noqa: ARG001
    """Read JSON objects.

    Args:
        file: Holds them.
        wanted: What is wanted of them.
    """
    with file.open() as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{file.name}:{number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Refusal(where, f"no JSON: {error}")
                continue
            if isinstance(value, dict):
                yield SourceRecord(where, value, "utf-8")
            else:
                yield Refusal(where, "no JSON object")
