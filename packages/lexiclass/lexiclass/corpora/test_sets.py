"""A corpus in two parts: documents to learn from, and documents to test with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lexiclass.corpora.records import LabelledText, Record, Refusal
from lexiclass.corpora.sources import shown_name


def for_training(records: Iterable[Record]) -> Iterator[Record]:
    """Have documents that are for nothing in particular be learned from."""
    for record in records:
        if isinstance(record, LabelledText) and record.split is None:
            yield replace(record, split="train")
        else:
            yield record


def for_testing(records: Iterable[Record], path: Path) -> Iterator[Record]:
    """Have documents be tested with, under ids and places that those of others have not."""
    name = shown_name(path)
    for record in records:
        where = f"{name}/{record.where}" if path.is_dir() else record.where
        if isinstance(record, Refusal):
            yield replace(record, where=where)
            continue
        metadata = {**record.metadata, "source": where}
        identity = record.id
        if identity is not None:
            identity = f"{name}/{identity}"
            if identity != where:
                metadata["id"] = identity
        yield replace(record, split="test", where=where, id=identity, metadata=metadata)
