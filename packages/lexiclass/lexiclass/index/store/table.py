"""Which documents an index holds, and where each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lexiclass.errors import ModelCorrupt
from lexiclass.index.store.digests import DIGEST_BYTES
from lexiclass.index.store.files import DataFile, new_name, write_file
from lexiclass.memmap import MemmapFile, Shape
from lexiclass.serialization import Arrays

_ARRAYS: dict[str, Shape] = {
    "ids": ((np.int64,), 1),
    "digests": ((np.uint8,), 2),
    "stamps": ((np.int64,), 1),
    "shards": ((np.int32,), 1),
    "rows": ((np.int32,), 1),
}


class TableRecord(DataFile):
    """The file that says which documents there are, and where."""

    name: str = Field(pattern=r"^documents-[0-9a-f]{32}\.safetensors$")
    num_documents: int = Field(ge=0, lt=2**31)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DocumentTable:
    """Documents by id.

    Attributes:
        ids: (n,) ascending.
        digests: (n, 16) digests of their content.
        stamps: (n,) see :class:`~lexiclass.index.store.source.Survey`.
        shards: (n,) place in the list of shards.
        rows: (n,) row in that shard.
    """

    ids: NDArray[np.int64]
    digests: NDArray[np.uint8]
    stamps: NDArray[np.int64]
    shards: NDArray[np.int32]
    rows: NDArray[np.int32]

    @classmethod
    def empty(cls) -> Self:
        """Return a table of no documents."""
        columns: Arrays = {
            name: np.empty((0, DIGEST_BYTES) if name == "digests" else 0, dtypes[0])
            for name, (dtypes, _) in _ARRAYS.items()
        }
        return cls(**columns)

    @classmethod
    def of_shard(
        cls,
        number: int,
        *,
        ids: NDArray[np.int64],
        digests: NDArray[np.uint8],
        stamps: NDArray[np.int64],
    ) -> Self:
        """Return documents that are the rows of one shard, in its order."""
        shards = np.full(len(ids), number, np.int32)
        rows = np.arange(len(ids), dtype=np.int32)
        return cls(ids=ids, digests=digests, stamps=stamps, shards=shards, rows=rows)

    @classmethod
    def joined(cls, parts: Sequence[DocumentTable]) -> Self:
        """Join tables and sort by id; of documents with one id the last one stays."""
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
        }
        order = np.argsort(columns["ids"], kind="stable")
        ids = columns["ids"][order]
        is_last = np.append(ids[1:] != ids[:-1], True)[: len(ids)]
        return cls(**{name: column[order[is_last]] for name, column in columns.items()})

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DocumentTable) and all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays can change

    def take(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return the documents at some places."""
        return type(self)(**{f.name: getattr(self, f.name)[places] for f in fields(self)})

    def places_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of every document id, or -1 where it is not in the table."""
        places = np.searchsorted(self.ids, ids)
        found = np.append(self.ids, 0)[places] == ids
        return np.where(found & (places < len(self.ids)), places, -1)

    def digests_at(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (n, 16) digests of the documents at some places; zeros at -1."""
        none = np.zeros((1, DIGEST_BYTES), np.uint8)
        return np.append(self.digests, none, axis=0)[places]

    def count_without(self, ids: NDArray[np.int64]) -> int:
        """Return how many documents are not among distinct ids."""
        return len(self) - int(np.count_nonzero(self.places_of(ids) >= 0))


def group_by_shard(
    shards: NDArray[np.int32], rows: NDArray[np.int32]
) -> tuple[NDArray[np.int64] | None, list[tuple[int, NDArray[np.int64]]]]:
    """Group (n,) rows by the shard that each is of.

    Returns:
        What takes the groups, one after the other, back to the order given, or None if they are in
        it; and the shards with rows, each with its own.
    """
    grouped = np.argsort(shards, kind="stable")
    ends = np.cumsum(np.bincount(shards))
    groups = [
        (number, rows[places].astype(np.int64))
        for number, places in enumerate(np.split(grouped, ends)[:-1])
        if len(places)
    ]
    if np.array_equal(grouped, np.arange(len(rows))):
        return None, groups
    order = np.empty(len(rows), dtype=np.int64)
    order[grouped] = np.arange(len(rows))
    return order, groups


def write_table(directory: Path, table: DocumentTable) -> TableRecord:
    """Write a table to a new file."""
    name = f"{new_name('documents')}.safetensors"
    file = write_file(directory / name, {column: getattr(table, column) for column in _ARRAYS})
    return TableRecord(name=name, num_documents=len(table), file=file)


def read_table(directory: Path, record: TableRecord, shard_sizes: Sequence[int]) -> DocumentTable:
    """Read a table.

    Raises:
        ModelCorrupt: If it is missing, changed, or does not fit the shards.
    """
    file = MemmapFile.open(directory / record.name, record.file, _ARRAYS)
    file.verify()
    table = DocumentTable(**file.arrays)
    if reason := _defect(table, record.num_documents, np.array(shard_sizes, dtype=np.int64)):
        raise ModelCorrupt(record.name, reason)
    return table


def _defect(table: DocumentTable, num_documents: int, shard_sizes: NDArray[np.int64]) -> str | None:
    columns = (table.ids, table.stamps, table.shards, table.rows)
    if any(column.shape != (num_documents,) for column in columns) or table.digests.shape != (
        num_documents,
        DIGEST_BYTES,
    ):
        return "not one digest, stamp, shard and row per document"
    if (table.ids[1:] <= table.ids[:-1]).any():
        return "document ids are not ascending"
    if num_documents and not (
        table.shards.min() >= 0
        and table.shards.max() < len(shard_sizes)
        and table.rows.min() >= 0
        and (table.rows < shard_sizes[table.shards]).all()
    ):
        return "a document is in no shard"
    return None
