"""Writing the generation that holds some embeddings of an index, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from lexiclass.index.embeddings.compaction import compact
from lexiclass.index.embeddings.index import EmbeddingIndex
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.store.table import DocumentTable, write_table


def reduce_embeddings(index: EmbeddingIndex, table: DocumentTable) -> EmbeddingManifest | None:
    """Write all but the manifest; None if the files hold nothing else already."""
    manifest = index.manifest
    table, records = compact(index.directory, table, index.shards, sparse_below=1)
    if table == index.table and records == manifest.shards:
        return None
    return manifest.model_copy(
        update={
            "created_at": datetime.now(UTC),
            "generation": manifest.generation + 1,
            "documents": write_table(index.directory, table),
            "shards": records,
        }
    )
