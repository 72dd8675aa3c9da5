"""Keeping an index of embeddings in few and dense shards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.shard import EmbeddingShard, EmbeddingShardRecord, write_embeddings
from lexiclass.index.store import compaction
from lexiclass.index.store.table import DocumentTable

_SMALL_EMBEDDINGS = 16_384

# Bytes of a joined shard.
_JOINED_BYTES = 64_000_000


def compact(
    directory: Path,
    table: DocumentTable,
    shards: Sequence[EmbeddingShard],
    *,
    sparse_below: float = compaction.SPARSE,
) -> tuple[DocumentTable, list[EmbeddingShardRecord]]:
    """Join small and sparse shards; see :func:`lexiclass.index.store.compaction.compact`.

    Raises:
        ModelCorrupt: If a shard was changed.
    """
    row_bytes = 4 * max(1, dimension_of(shards))
    limits = compaction.Limits(_SMALL_EMBEDDINGS, max(1, _JOINED_BYTES // row_bytes))
    records = [shard.record for shard in shards]
    join = partial(_join, directory, shards)
    return compaction.compact(table, records, limits, join, sparse_below=sparse_below)


def _join(
    directory: Path, shards: Sequence[EmbeddingShard], table: DocumentTable
) -> EmbeddingShardRecord:
    """Write the contents of documents as a new shard, in their order."""
    return write_embeddings(directory, table.digests, gather(shards, table))


def dimension_of(shards: Sequence[EmbeddingShard]) -> int:
    """Return the length of an embedding; 0 as long as there is none."""
    return shards[0].dimension if shards else 0


def gather(shards: Sequence[EmbeddingShard], table: DocumentTable) -> NDArray[np.float32]:
    """Return (n, dimension) the embeddings of documents.

    Raises:
        ModelCorrupt: If a shard was changed.
    """
    found = np.empty((len(table), dimension_of(shards)), dtype=np.float32)
    for number in np.unique(table.shards).tolist():
        here = table.shards == number
        found[here] = shards[number].embeddings[table.rows[here]]
    return found
