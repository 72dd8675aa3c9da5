"""Taking documents out of an index so that nothing of them is left, nor of earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.erasure import reduce_embeddings
from lexiclass.index.embeddings.index import EmbeddingIndex
from lexiclass.index.kinds import read_manifest
from lexiclass.index.store.manifest import Announce, Publisher, go_ahead, tell_nobody
from lexiclass.index.tokens.erasure import reduce_tokens
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.index.tokens.manifest import IndexManifest


def keep_documents(
    directory: Path,
    ids: NDArray[np.int64],
    *,
    before_publication: Callable[[], None] = go_ahead,
    announce: Announce = tell_nobody,
) -> int:
    """Keep some documents of an index of tokens or embeddings, and no trace of any other.

    A reader sees the old generation until the new one is complete. Killed at any point, the next
    call does the rest. Only one build or erasure of a directory may run at a time.

    Args:
        directory: Of the index.
        ids: (n,) the documents that may stay, in any order; those that are not in it do no harm.
        before_publication: See :func:`~lexiclass.index.build_index`.
        announce: See there.

    Returns:
        How many documents are in the index now. If it is none the files are as they were: remove
        the directory.

    Raises:
        ModelCorrupt: If the index is damaged: remove the directory.
        PluginMismatch: If a newer version of this library wrote it.
    """
    is_of_tokens = isinstance(read_manifest(directory), IndexManifest)
    index = (DocumentIndex if is_of_tokens else EmbeddingIndex).open(directory)
    table = index.table.take(np.isin(index.ids, ids))
    if not len(table):
        return 0
    publisher = Publisher(directory, before_publication, announce)
    manifest = (
        reduce_tokens(index, table)
        if isinstance(index, DocumentIndex)
        else reduce_embeddings(index, table)
    )
    if manifest is not None:
        publisher.publish(manifest)
    publisher.clean_up(index.manifest if manifest is None else manifest)
    return len(table)
