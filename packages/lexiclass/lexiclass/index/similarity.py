"""Documents of an index that are like a given one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.compatibility import check_versions
from lexiclass.errors import InvalidParameters
from lexiclass.index.reader import DocumentIndex
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.features.rows import scale_rows
from lexiclass.plugins.registry import Registry
from lexiclass.tokens import TokenMatrix, Vocabulary

# Similarities held at a time: 48 MB at 12 bytes each, were every document like every other.
_MAX_CELLS = 4_000_000

# Sums of the same terms in another order differ in the 15th decimal or so: less than this is a tie.
_DECIMALS = 9


class Neighbour(NamedTuple):
    """A document, and the cosine of its angle to the one asked about: in (0, 1]."""

    id: int
    similarity: float


class SimilaritySearch:
    """Finds similar documents by the exact cosine of their TF-IDF weights.

    The weight of a term is ``(1 + ln(count)) * (ln((1 + n) / (1 + df)) + 1)``, with n documents in
    the index of which df have the term. Every term counts, also one of a text that no document of
    the index has: such a text is like none of them perfectly.

    Results go by similarity, to 9 decimals, and then by id; so they do not depend on how the index
    came about. A document that shares no term is not similar at all and never a result.

    Args:
        index: Where to look. All of it is weighed once, so keep a search for many queries.
    """

    def __init__(self, index: DocumentIndex) -> None:
        self._index = index
        counts = index.counts().astype(np.float64)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        self._idf = self._inverse(frequency)
        self._documents = _weigh(counts, self._idf)
        self._by_term = self._documents.T.tocsr()

    def by_ids(self, ids: Sequence[int], *, limit: int = 10) -> list[list[Neighbour]]:
        """Find what is like documents of the index, each of them itself left out.

        Args:
            ids: Their ids.
            limit: Most results for each.

        Raises:
            InvalidParameters: If a document is not in the index.
        """
        rows = self._index.rows_of(ids)
        if (rows < 0).any():
            absent = [int(number) for number, row in zip(ids, rows, strict=True) if row < 0]
            raise InvalidParameters(
                f"The index has no document {', '.join(map(str, absent[:10]))}; index it first.",
                details={"absent": absent[:100], "num_absent": len(absent)},
            )
        queries = self._documents[rows]
        return list(self._nearest(queries, limit, itself=rows))

    def by_texts(
        self, texts: Iterable[str], *, limit: int = 10, registry: Registry | None = None
    ) -> list[list[Neighbour]]:
        """Find what is like texts, which are tokenized as the index was.

        Args:
            texts: Read once.
            limit: Most results for each.
            registry: Where the tokenizer is found; the default one if not given.

        Raises:
            PluginMismatch: If the installed tokenizer would split texts otherwise.
            PluginNotFound: If it does not exist here.
            PluginUnavailable: If what it needs is not installed.
        """
        configuration = self._index.manifest.configuration
        registry = default_registry() if registry is None else registry
        tokenizer = registry.create(
            Tokenizer,  # type: ignore[type-abstract]  # only compared with
            configuration.tokenizer,
            configuration.params,
            PluginContext(locale=configuration.locale),
        )
        check_versions("tokenizer", self._index.manifest.tokenizer_versions, tokenizer.versions())
        vocabulary = Vocabulary(self._index.terms)
        return self.by_tokens(tokenizer.encode(texts, vocabulary), limit=limit)

    def by_tokens(self, tokens: TokenMatrix, *, limit: int = 10) -> list[list[Neighbour]]:
        """Find what is like tokenized documents.

        Args:
            tokens: Over a vocabulary that goes on from the terms of the index.
            limit: Most results for each.
        """
        counts = tokens.counts().astype(np.float64)
        known = self._by_term.shape[0]
        unknown = self._inverse(np.zeros(counts.shape[1] - known))
        queries = _weigh(counts, np.concatenate((self._idf, unknown)))[:, :known]
        return list(self._nearest(queries, limit))

    def _inverse(self, frequency: NDArray[np.number]) -> NDArray[np.float64]:
        return np.asarray(np.log((1 + len(self._index)) / (1 + frequency)) + 1)

    def _nearest(
        self,
        queries: sparse.csr_array,
        limit: int,
        itself: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Neighbour]]:
        if limit < 1:
            raise InvalidParameters(f"The limit is {limit}; ask for at least 1 document.")
        num_queries = queries.shape[0]
        own = np.full(num_queries, -1) if itself is None else itself
        step = max(1, _MAX_CELLS // max(1, len(self._index)))
        for start in range(0, num_queries, step):
            found = queries[start : start + step] @ self._by_term
            bounds = zip(found.indptr[:-1], found.indptr[1:], strict=True)
            for (first, end), row in zip(bounds, own[start : start + step], strict=True):
                yield self._best(found.indices[first:end], found.data[first:end], limit, row)

    def _best(
        self,
        rows: NDArray[np.integer],
        cosines: NDArray[np.float64],
        limit: int,
        itself: int,
    ) -> list[Neighbour]:
        cosines = np.minimum(cosines.round(_DECIMALS), 1.0)
        kept = (rows != itself) & (cosines > 0)
        rows, cosines = rows[kept], cosines[kept]
        if len(rows) > limit:
            # Everything that ties with the last result stays in until the ids have decided.
            kept = cosines >= np.partition(cosines, -limit)[-limit]
            rows, cosines = rows[kept], cosines[kept]
        order = np.lexsort((rows, -cosines))[:limit]  # rows are in the order of ids
        ids = self._index.ids[rows[order]].tolist()
        return list(map(Neighbour, ids, cosines[order].tolist()))


def _weigh(counts: sparse.csr_array, idf: NDArray[np.float64]) -> sparse.csr_array:
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    return scale_rows(counts, "l2")
