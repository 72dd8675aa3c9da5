"""Keeping an index in few and dense shards, however often it is brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.store.files import ShardRecord
from lexiclass.index.store.table import DocumentTable

#: A shard with a smaller share of its rows in use is written anew.
SPARSE = 0.5

# Small shards are joined when there are this many: each costs a reader some system calls.
_MANY_SMALL = 12

_ROW_BITS = 32

RecordT = TypeVar("RecordT", bound=ShardRecord)


class Limits(NamedTuple):
    """Sizes of shards, in the unit of :attr:`~lexiclass.index.store.files.ShardRecord.weight`."""

    small: int
    joined: int


def compact(
    table: DocumentTable,
    records: Sequence[RecordT],
    limits: Limits,
    join: Callable[[DocumentTable], RecordT],
    *,
    sparse_below: float = SPARSE,
) -> tuple[DocumentTable, list[RecordT]]:
    """Join small and sparse shards, and leave out those no document is in.

    Args:
        table: The documents; several can share a row.
        records: The shards.
        limits: See there.
        join: Writes rows as a new shard: those of the documents it is given, in their order.
        sparse_below: A shard with a smaller share of its rows in use is written anew.

    Returns:
        The documents where they are now, and the shards there are now.
    """
    sizes = np.array([max(record.num_rows, 1) for record in records], dtype=np.int64)
    live = _rows_in_use(table, sizes)
    weights = np.array([record.weight for record in records], dtype=np.int64) / sizes
    moves = _to_join(live, live / sizes, live * weights < limits.small, sparse_below)
    stays = (live > 0) & ~moves
    kept = [record for record, is_kept in zip(records, stays, strict=True) if is_kept]
    renumbered = np.cumsum(stays, dtype=np.int32) - np.int32(1)
    if not moves.any():
        return replace(table, shards=renumbered[table.shards]), kept
    keys = table.shards.astype(np.int64) << _ROW_BITS | table.rows
    _, firsts, row_of = np.unique(keys, return_index=True, return_inverse=True)
    rows = table.take(firsts)
    shards, places = renumbered[rows.shards], rows.rows.copy()
    moved = np.flatnonzero(moves[rows.shards])
    moved = moved[np.argsort(firsts[moved])]  # by id
    for part in _parts(moved, weights[rows.shards[moved]], limits.joined):
        shards[part], places[part] = len(kept), np.arange(len(part))
        kept.append(join(rows.take(part)))
    return replace(table, shards=shards[row_of], rows=places[row_of]), kept


def _rows_in_use(table: DocumentTable, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows of each shard some document is in; without sorting."""
    is_used = np.zeros(sizes.sum(), dtype=np.bool_)
    is_used[(np.cumsum(sizes) - sizes)[table.shards] + table.rows] = True
    shards = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(shards[is_used], minlength=len(sizes))


def _to_join(
    live: NDArray[np.int64],
    share: NDArray[np.float64],
    is_small: NDArray[np.bool_],
    sparse_below: float,
) -> NDArray[np.bool_]:
    small = (live > 0) & is_small
    sparse = (live > 0) & (share < sparse_below)
    return small | sparse if np.count_nonzero(small) >= _MANY_SMALL else sparse


def _parts(
    rows: NDArray[np.int64], weights: NDArray[np.float64], limit: int
) -> Iterator[NDArray[np.int64]]:
    """Cut rows into those of joined shards."""
    if len(rows):
        number = (np.cumsum(weights) - weights) // limit
        yield from np.split(rows, np.flatnonzero(np.diff(number)) + 1)
