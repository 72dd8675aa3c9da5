"""Keeping an index of embeddings in few and dense shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.shard import (
    EmbeddingShard,
    EmbeddingShardRecord,
    write_embeddings,
)
from lexiclass.index.table import DocumentTable

# A shard with fewer of its embeddings still in use is written anew.
_SPARSE = 0.5

# Small shards are joined when there are this many.
_MANY_SMALL = 12
_SMALL_EMBEDDINGS = 16_384

# Bytes of a joined shard.
_JOINED_BYTES = 64_000_000

_ROW_BITS = 32


def compact(
    directory: Path,
    table: DocumentTable,
    shards: Sequence[EmbeddingShard],
    *,
    sparse_below: float = _SPARSE,
) -> tuple[DocumentTable, list[EmbeddingShardRecord]]:
    """Join small and sparse shards, and leave out those no document is in.

    Args:
        directory: Of the index.
        table: The documents.
        shards: The shards.
        sparse_below: A shard with a smaller share of its embeddings in use is written anew.

    Returns:
        The documents where they are now, and the shards there are now; new files were written.

    Raises:
        ModelCorrupt: If a shard was changed.
    """
    # Documents with the same content share an embedding.
    keys = table.shards.astype(np.int64) << _ROW_BITS | table.rows
    used, places = np.unique(keys, return_inverse=True)
    numbers, rows = used >> _ROW_BITS, used & (1 << _ROW_BITS) - 1
    live = np.bincount(numbers, minlength=len(shards))
    sizes = np.array([shard.record.num_embeddings for shard in shards], dtype=np.int64)
    moves = _to_join(live, sizes, sparse_below)
    kept = [
        shard.record
        for shard, in_use, is_moved in zip(shards, live > 0, moves, strict=True)
        if in_use and not is_moved
    ]
    renumbered = np.cumsum((live > 0) & ~moves) - 1
    new_numbers, new_rows = renumbered[numbers], rows.copy()
    for part in _parts(np.flatnonzero(moves[numbers]), shards):
        digests, embeddings = _gather(shards, numbers[part], rows[part])
        new_numbers[part], new_rows[part] = len(kept), np.arange(len(part))
        kept.append(write_embeddings(directory, digests, embeddings))
    moved = replace(
        table,
        shards=new_numbers[places].astype(np.int32),
        rows=new_rows[places].astype(np.int32),
    )
    return moved, kept


def _to_join(
    live: NDArray[np.int64], sizes: NDArray[np.int64], sparse_below: float
) -> NDArray[np.bool_]:
    small = (live > 0) & (live < _SMALL_EMBEDDINGS)
    sparse = (live > 0) & (live < sparse_below * sizes)
    return small | sparse if np.count_nonzero(small) >= _MANY_SMALL else sparse


def _parts(moved: NDArray[np.int64], shards: Sequence[EmbeddingShard]) -> list[NDArray[np.int64]]:
    if not len(moved):
        return []
    step = max(1, _JOINED_BYTES // (4 * max(1, shards[0].embeddings.shape[1])))
    return np.split(moved, range(step, len(moved), step))


def _gather(
    shards: Sequence[EmbeddingShard], numbers: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Read embeddings that are sorted by shard."""
    parts = [(shards[number], rows[numbers == number]) for number in np.unique(numbers).tolist()]
    digests = [shard.digests[chosen] for shard, chosen in parts]
    embeddings = [shard.embeddings[chosen] for shard, chosen in parts]
    return np.concatenate(digests), np.concatenate(embeddings)
