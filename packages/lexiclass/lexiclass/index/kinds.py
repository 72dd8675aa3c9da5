"""Indexes of whichever kind."""

from __future__ import annotations

from pathlib import Path

from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.tokens.manifest import IndexManifest


def read_manifest(directory: Path) -> IndexManifest | EmbeddingManifest:
    """Return the manifest of an index of tokens or of embeddings.

    Raises:
        ModelCorrupt: If it is missing, changed or not understood.
        PluginMismatch: If a newer version of this library wrote it.
    """
    try:
        return IndexManifest.read(directory)
    except (ModelCorrupt, PluginMismatch):
        return EmbeddingManifest.read(directory)
