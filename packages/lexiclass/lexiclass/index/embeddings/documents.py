"""Documents as embeddings: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.reader import EmbeddingIndex
from lexiclass.index.encoding import digest_bytes, hexadecimal
from lexiclass.index.shard import DIGEST_BYTES
from lexiclass.index.source import DocumentSource, survey
from lexiclass.io import UnreadableDocument
from lexiclass.plugins.base import EmbeddingExtractor

# Texts embedded between two reports of progress.
_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedDocuments:
    """Documents as embeddings.

    Attributes:
        positions: (n,) in the source; those of documents that could be read, in the order given.
        embeddings: (n, dimension) rows.
        raw_digests: (n, 16) digest of each.
        failed: Documents that could not be read, and why.
        num_indexed: How many came from the index.
        num_changed: How many are in the index with other content.
        num_missing: How many are not in it.
    """

    positions: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    raw_digests: NDArray[np.uint8]
    failed: Mapping[int, str]
    num_indexed: int
    num_changed: int
    num_missing: int

    @property
    def digests(self) -> list[str]:
        """Digest of each, in hexadecimal."""
        return hexadecimal(self.raw_digests)


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
    rows = np.full(len(positions), -1, dtype=np.int64)
    is_known = np.zeros(len(positions), dtype=np.bool_)
    digests = np.empty((len(positions), DIGEST_BYTES), dtype=np.uint8)
    if index is not None:
        found = index.rows_of(source.ids[positions])
        is_known = found >= 0
        places = np.flatnonzero(is_known)
        stamps = survey(source, positions[places], num_processes=num_processes).stamps
        same = places[(stamps != 0) & (stamps == index.table.stamps[found[places]])]
        rows[same] = found[same]
        digests[same] = index.table.digests[rows[same]]
    is_kept = rows >= 0
    failed: dict[int, str] = {}
    texts: dict[int, str] = {}
    to_read = np.flatnonzero(rows < 0)
    for place, document in zip(to_read.tolist(), source.read(positions[to_read]), strict=True):
        if isinstance(document, UnreadableDocument):
            failed[int(document.id)] = document.reason
            continue
        digest = digest_bytes(document)
        is_kept[place] = True
        digests[place] = np.frombuffer(digest, np.uint8)
        rows[place] = -1 if index is None else index.row_with(digest)
        if rows[place] < 0:
            texts[place] = document.text
    kept, fresh = np.flatnonzero(is_kept), np.array(list(texts), dtype=np.int64)
    return EmbeddedDocuments(
        positions=positions[kept],
        embeddings=_join(embedder, index, rows[kept], list(texts.values()), progress),
        raw_digests=digests[kept],
        failed=failed,
        num_indexed=len(kept) - len(fresh),
        num_changed=int(np.count_nonzero(is_known[fresh])),
        num_missing=int(np.count_nonzero(~is_known[fresh])),
    )


def _join(
    embedder: EmbeddingExtractor,
    index: EmbeddingIndex | None,
    rows: NDArray[np.int64],
    texts: Sequence[str],
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float32]:
    """Return embeddings of the index, and in the places without a row those of the texts."""
    indexed = rows >= 0
    parts = []
    for start in range(0, len(texts), _BLOCK):
        parts.append(embedder.transform(texts[start : start + _BLOCK]))
        if progress is not None:
            progress(min(start + _BLOCK, len(texts)), len(texts))
    if index is None or not indexed.any():
        empty = np.empty((0, embedder.num_features()), dtype=np.float32)
        return np.concatenate([empty, *parts])
    joined = np.empty((len(rows), index.manifest.dimension), dtype=np.float32)
    joined[indexed] = index.embeddings(rows[indexed])
    if parts:
        joined[~indexed] = np.concatenate(parts)
    return joined
