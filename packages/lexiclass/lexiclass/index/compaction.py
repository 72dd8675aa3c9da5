"""Keeping an index in few and dense shards, however often it is brought up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.shard import Shard, ShardRecord, ShardRows, write_numbers, write_shard
from lexiclass.index.table import DocumentTable
from lexiclass.tokens import TokenMatrix, concatenate

# A shard with fewer of its documents still in the index is written anew.
_SPARSE = 0.5

# Small shards are joined when there are this many: each costs a reader some system calls.
_MANY_SMALL = 12
_SMALL_TOKENS = 1_000_000

# Tokens of a joined shard: 32 MB of English text.
_JOINED_TOKENS = 6_000_000


def compact(
    directory: Path, table: DocumentTable, records: Sequence[ShardRecord], terms: Sequence[str]
) -> tuple[DocumentTable, list[ShardRecord]]:
    """Join small and sparse shards, and leave out those no document is in.

    Args:
        directory: Of the index.
        table: The documents.
        records: The shards, all with numbers of their terms.
        terms: The terms of the index.

    Returns:
        The documents where they are now, and the shards there are now; new files were written.
    """
    live = np.bincount(table.shards, minlength=len(records))
    stays = (live > 0) & ~_to_join(live, records)
    if stays.all():
        return table, list(records)
    kept = [record for record, is_kept in zip(records, stays, strict=True) if is_kept]
    numbers = np.cumsum(stays) - 1
    in_kept = stays[table.shards]
    tables = [table.take(in_kept)]
    tables[0].shards[:] = numbers[tables[0].shards]
    for part in _groups(table.take(~in_kept), records):
        record = _join(directory, part, records, terms)
        moved = DocumentTable(
            ids=part.ids,
            digests=part.digests,
            stamps=part.stamps,
            shards=np.full(len(part), len(kept), np.int32),
            rows=np.arange(len(part), dtype=np.int32),
        )
        kept.append(record)
        tables.append(moved)
    return DocumentTable.joined(tables), kept


def _to_join(live: NDArray[np.int64], records: Sequence[ShardRecord]) -> NDArray[np.bool_]:
    sizes = np.array([record.num_documents for record in records], dtype=np.int64)
    tokens = np.array([record.num_tokens for record in records], dtype=np.int64)
    share = live / np.maximum(sizes, 1)
    small = (live > 0) & (tokens * share < _SMALL_TOKENS)
    sparse = (live > 0) & (share < _SPARSE)
    return small | sparse if np.count_nonzero(small) >= _MANY_SMALL else sparse


def _groups(table: DocumentTable, records: Sequence[ShardRecord]) -> Iterator[DocumentTable]:
    """Cut documents into the tables of joined shards, by their mean number of tokens."""
    if not len(table):
        return
    means = np.array([record.num_tokens / max(record.num_documents, 1) for record in records])
    sizes = means[table.shards]
    number = (np.cumsum(sizes) - sizes) // _JOINED_TOKENS
    for part in np.split(np.arange(len(table)), np.flatnonzero(np.diff(number)) + 1):
        yield table.take(part)


def _join(
    directory: Path, table: DocumentTable, records: Sequence[ShardRecord], terms: Sequence[str]
) -> ShardRecord:
    """Write the documents of a table as one shard."""
    order = np.argsort(table.shards, kind="stable")
    parts = []
    for number in np.unique(table.shards).tolist():
        rows = table.rows[table.shards == number].astype(np.int64)
        parts.append(Shard(directory, records[number], len(terms)).tokens(rows))
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    tokens = concatenate(parts, ()).take(back)
    return write_numbers(directory, *join_rows(directory, table, tokens, terms))


def join_rows(
    directory: Path, table: DocumentTable, tokens: TokenMatrix, terms: Sequence[str]
) -> tuple[ShardRecord, NDArray[np.int32]]:
    """Write documents as a new shard.

    Args:
        directory: Of the index.
        table: The documents.
        tokens: Their tokens, in the same order, by the numbers of the index.
        terms: The terms of the index.

    Returns:
        The shard, and which number each of its terms has in the index.
    """
    numbers, ids = _renumber(tokens.ids, len(terms))
    names = list(map(terms.__getitem__, numbers.tolist()))
    rows = ShardRows(ids=table.ids, digests=table.digests, stamps=table.stamps)
    return write_shard(directory, rows, TokenMatrix(names, ids, tokens.indptr)), numbers


def _renumber(
    ids: NDArray[np.int32], num_terms: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return which terms there are, ascending, and the ids as numbers of these; without sorting."""
    is_used = np.zeros(num_terms, dtype=np.bool_)
    is_used[ids] = True
    places = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(is_used).astype(np.int32), places[ids]
