"""Documents of an index that are like a given one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.index.similarity.documents import CountedDocuments
from lexiclass.index.similarity.nearest import Neighbour, Search
from lexiclass.index.similarity.weights import as_cosines, inverse_frequency, weigh
from lexiclass.plugins.registry import Registry
from lexiclass.tokens import TokenMatrix, Vocabulary


class SimilaritySearch(Search[sparse.csr_array]):
    """Finds similar documents by the exact cosine of their TF-IDF weights.

    The weight of a term is ``(1 + ln(count)) * (ln((1 + n) / (1 + df)) + 1)``, with n documents in
    the index of which df have the term. Every term counts, also one of a text that no document of
    the index has: such a text is like none of them perfectly.

    Results go by similarity, to 9 decimals, and then by id; so they do not depend on how the index
    came about. A document that shares no term is not similar at all and never a result. All of the
    index is weighed once, so keep a search for many queries.
    """

    def __init__(self, index: CountedDocuments) -> None:
        self._index = index
        counts = index.counts().astype(np.float64)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        self._idf = inverse_frequency(frequency, len(index.table))
        super().__init__(index.table, weigh(counts, self._idf))
        self._by_term = self._documents.T.tocsr()

    def by_texts(
        self,
        texts: Iterable[str],
        *,
        limit: int = 10,
        registry: Registry | None = None,
        model_directory: Path | None = None,
    ) -> list[list[Neighbour]]:
        """Find what is like texts, which are tokenized as the index was.

        Raises:
            InvalidParameters: If the limit is below 1.
            PluginMismatch: See :meth:`lexiclass.DocumentIndex.make_tokenizer`, as of the others.
            PluginNotFound: See there.
            PluginUnavailable: See there.
        """
        tokenizer = self._index.make_tokenizer(registry=registry, model_directory=model_directory)
        vocabulary = Vocabulary(self._index.terms)
        return self.by_tokens(tokenizer.encode(texts, vocabulary), limit=limit)

    def by_tokens(self, tokens: TokenMatrix, *, limit: int = 10) -> list[list[Neighbour]]:
        """Find what is like documents whose vocabulary goes on from the terms of the index.

        Raises:
            InvalidParameters: If the limit is below 1.
        """
        counts = tokens.counts().astype(np.float64)
        known = self._by_term.shape[0]
        unknown = inverse_frequency(np.zeros(counts.shape[1] - known), len(self._index.table))
        queries = weigh(counts, np.concatenate((self._idf, unknown)))[:, :known]
        return self._nearest(queries, limit)

    def _cosines(
        self, queries: sparse.csr_array
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        found: sparse.csr_array = queries @ self._by_term
        cosines = as_cosines(found.data)
        for start, end in pairwise(found.indptr.tolist()):
            yield self._table.ids[found.indices[start:end]], cosines[start:end]
