"""Documents as embeddings: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.index import EmbeddingIndex
from lexiclass.index.store.reading import ReadDocuments, find_documents
from lexiclass.index.store.source import DocumentSource
from lexiclass.plugins.base import EmbeddingExtractor
from lexiclass.stages import unheard

# Texts embedded between two reports of progress.
_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedDocuments(ReadDocuments):
    """Documents as embeddings.

    Attributes:
        embeddings: (n, dimension) rows.
    """

    embeddings: NDArray[np.float32]


def read_embeddings(
    embedder: EmbeddingExtractor,
    source: DocumentSource,
    positions: NDArray[np.int64],
    index: EmbeddingIndex | None,
    *,
    num_processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> EmbeddedDocuments:
    """Read documents as embeddings; the same whatever the index holds of them, to rounding.

    A document that has the stamp it was indexed with is not even opened. Rounding differs because
    an encoder computes texts in batches: how far they are padded, and how a product of matrices is
    divided up, depends on the other texts of a batch.

    Args:
        embedder: Prepared, or loaded with a model.
        source: Where the documents are.
        positions: (n,) which of them.
        index: What was embedded before; see :meth:`EmbeddingIndex.fits`.
        num_processes: Processes that look at the documents.
        progress: Told how many of the texts that are not indexed are embedded.

    Raises:
        InvalidParameters: If a digest is not what it should be.
        ModelCorrupt: If the index was damaged.
    """
    # Nobody is told of looking at documents: embedding them is what takes its time.
    found = find_documents(source, positions, index, num_processes=num_processes, tell=unheard)
    return EmbeddedDocuments(
        embeddings=_join(embedder, index, found.rows, found.texts, progress or unheard),
        **found.documents,
    )


def _join(
    embedder: EmbeddingExtractor,
    index: EmbeddingIndex | None,
    rows: NDArray[np.int64],
    texts: Sequence[str],
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Return embeddings of the index, and in the places without a row those of the texts."""
    indexed = rows >= 0
    parts = []
    for start in range(0, len(texts), _BLOCK):
        parts.append(embedder.transform(texts[start : start + _BLOCK]))
        progress(min(start + _BLOCK, len(texts)), len(texts))
    if index is None or not indexed.any():
        empty = np.empty((0, embedder.num_features()), dtype=np.float32)
        return np.concatenate([empty, *parts])
    joined = np.empty((len(rows), index.manifest.dimension), dtype=np.float32)
    joined[indexed] = index.embeddings(rows[indexed])
    if parts:
        joined[~indexed] = np.concatenate(parts)
    return joined
