"""Taking documents out of an index of embeddings so that nothing of them is left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.compaction import compact
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.shard import EmbeddingShard
from lexiclass.index.generation import go_ahead
from lexiclass.index.manifest import Announce, tell_nobody
from lexiclass.index.table import read_table, write_table


def keep_embeddings(
    directory: Path,
    ids: NDArray[np.int64],
    *,
    before_publication: Callable[[], None] = go_ahead,
    announce: Announce = tell_nobody,
) -> int:
    """Keep the embeddings of some documents; see :func:`lexiclass.index.erasure.keep_documents`.

    Raises:
        ModelCorrupt: If the index is damaged: remove the directory.
        PluginMismatch: If a newer version of this library wrote it.
    """
    manifest = EmbeddingManifest.read(directory)
    sizes = [record.num_embeddings for record in manifest.shards]
    everything = read_table(directory, manifest.documents, sizes)
    table = everything.take(np.isin(everything.ids, ids))
    if not len(table):
        return 0
    shards = [EmbeddingShard(directory, record, manifest.dimension) for record in manifest.shards]
    table, records = compact(directory, table, shards, sparse_below=1.0)
    if table != everything or records != manifest.shards:
        manifest = manifest.model_copy(
            update={
                "created_at": datetime.now(UTC),
                "generation": manifest.generation + 1,
                "documents": write_table(directory, table),
                "shards": records,
            }
        )
        before_publication()
        manifest.write(directory, announce)
    before_publication()
    manifest.remove_others(directory)
    return len(table)
