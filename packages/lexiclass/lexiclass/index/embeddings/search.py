"""Documents of an index of embeddings that are like a given one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.embeddings.reader import EmbeddingIndex
from lexiclass.index.nearest import MAX_CELLS, Neighbour, nearest, require_limit, require_rows
from lexiclass.plugins.features.rows import scale_rows

# What single precision keeps of a sum of some hundred products.
_DECIMALS = 6


class EmbeddingSearch:
    """Finds similar documents by the exact cosine of their embeddings.

    Results go by similarity, to 6 decimals, and then by id. A document whose cosine is not above 0
    is never a result.

    Args:
        index: Where to look. All of it is read once, so keep a search for many queries.
    """

    def __init__(self, index: EmbeddingIndex) -> None:
        self._index = index
        self._documents = scale_rows(index.embeddings(), "l2")

    def by_ids(self, ids: Sequence[int], *, limit: int = 10) -> list[list[Neighbour]]:
        """Find what is like documents of the index, each of them itself left out.

        Args:
            ids: Their ids.
            limit: Most results for each.

        Raises:
            InvalidParameters: If a document is not in the index, or the limit below 1.
        """
        rows = require_rows(self._index.table, ids)
        return list(self._nearest(self._documents[rows], limit, without=ids))

    def by_embeddings(
        self, embeddings: NDArray[np.float32], *, limit: int = 10
    ) -> list[list[Neighbour]]:
        """Find what is like other embeddings.

        Args:
            embeddings: (n, dimension) rows by the feature extractor of the index.
            limit: Most results for each.

        Raises:
            InvalidParameters: If the limit is below 1.
        """
        queries = scale_rows(np.array(embeddings, dtype=np.float32), "l2")
        return list(self._nearest(queries, limit, without=[None] * len(queries)))

    def _nearest(
        self, queries: NDArray[np.float32], limit: int, *, without: Sequence[int | None]
    ) -> Iterator[list[Neighbour]]:
        require_limit(limit)
        step = max(1, MAX_CELLS // max(1, len(self._index)))
        for start in range(0, len(queries), step):
            found = (queries[start : start + step] @ self._documents.T).astype(np.float64)
            found = np.minimum(found.round(_DECIMALS), 1.0)
            for cosines, left_out in zip(found, without[start : start + step], strict=True):
                yield nearest(self._index.ids, cosines, limit=limit, without=left_out)
