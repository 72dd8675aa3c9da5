"""Documents of an index of embeddings that are like a given one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.similarity.documents import EmbeddedDocuments
from lexiclass.index.similarity.nearest import Neighbour, Search
from lexiclass.plugins.features.rows import scale_rows

# What single precision keeps of a sum of some hundred products.
_DECIMALS = 6


class EmbeddingSearch(Search[NDArray[np.float32]]):
    """Finds similar documents by the exact cosine of their embeddings.

    Results go by similarity, to 6 decimals, and then by id. A document whose cosine is not above 0
    is never a result. All of the index is read once, so keep a search for many queries.
    """

    def __init__(self, index: EmbeddedDocuments) -> None:
        super().__init__(index.table, scale_rows(index.embeddings(), "l2"))

    def by_embeddings(
        self, embeddings: NDArray[np.float32], *, limit: int = 10
    ) -> list[list[Neighbour]]:
        """Find what is like (n, dimension) other rows by the feature extractor of the index.

        Raises:
            InvalidParameters: If the limit is below 1.
        """
        return self._nearest(scale_rows(np.array(embeddings, dtype=np.float32), "l2"), limit)

    def _cosines(
        self, queries: NDArray[np.float32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        found = (queries @ self._documents.T).astype(np.float64)
        for cosines in np.minimum(found.round(_DECIMALS), 1.0):
            yield self._table.ids, cosines
