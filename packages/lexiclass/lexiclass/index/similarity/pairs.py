"""All pairs of documents whose cosine reaches a threshold, without computing those of all pairs.

Terms are put in order, the most frequent first. The frequent terms of a document, as many as
together are shorter than the threshold, can't bring a cosine up to it by themselves: a document
that is similar enough shares one of the other, rarer terms. This is the prefix filter of R. J.
Bayardo, Y. Ma, R. Srikant, "Scaling Up All Pairs Similarity Search", WWW 2007, with bounds by
Cauchy and Schwarz as in D. C. Anastasiu, G. Karypis, "L2AP: Fast Cosine Similarity Search With
Prefix L-2 Norm Bounds", ICDE 2014. Both leave out only what is below the threshold.

Here they work on blocks of documents: the rare terms of one block times those of another are one
product of sparse matrices, and a bound on the rest of each cosine says which of them to compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.index.similarity.weights import as_cosines

# Documents of a block: its product with another takes 48 MB at 12 bytes a cell, were every document
# like every other, and what is kept of it about as much again.
_BLOCK = 2_000

# Pairs whose cosine is computed at a time: some MB for documents of some hundred terms.
_PAIRS = 16_384

# What a bound may be too low by: lengths are sums of up to some thousand roundings.
_SLACK = 1e-7
_SQUARE_SLACK = 1e-12


class Pairs(NamedTuple):
    """Documents, and as many others: pairs of row numbers."""

    rows: NDArray[np.int64]
    others: NDArray[np.int64]


class _Block(NamedTuple):
    """Some documents.

    Attributes:
        numbers: (b,) which rows of the matrix they are.
        by_term: (m, b) their weights, by term.
    """

    numbers: NDArray[np.int64]
    by_term: sparse.csr_array


class PairSearch:
    """Finds pairs of similar rows of a matrix.

    Args:
        rows: (n, m) floats, none below 0; every row has length 1, or 0.
        threshold: Above 0, at most 1.
    """

    def __init__(self, rows: sparse.csr_array, threshold: float) -> None:
        self._threshold = threshold
        self._rows = _frequent_terms_first(rows)
        self._cuts = _find_cuts(self._rows, threshold - _SLACK)

    def among(self, numbers: NDArray[np.int64]) -> Iterator[Pairs]:
        """Find candidates among (k,) distinct rows, every pair once, a limited number at a time.

        Yields:
            Pairs that may reach the threshold; all that do are there.
        """
        before: list[_Block] = []
        for run in self._runs(numbers):
            block = self._block(run)
            for other in before:
                yield self._candidates(run, other)
            rows, others = self._candidates(run, block)
            yield Pairs(rows[rows > others], others[rows > others])
            before.append(block)

    def between(self, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> Iterator[Pairs]:
        """Find candidates between (k,) rows and (l,) others, a limited number at a time.

        Yields:
            Pairs that may reach the threshold; all that do are there.
        """
        blocks = [self._block(run) for run in self._runs(others)]
        for run in self._runs(numbers):
            for block in blocks:
                yield self._candidates(run, block)

    def similar(self, pairs: Pairs) -> Pairs:
        """Return those pairs that do reach the threshold."""
        found = self.cosines(pairs) >= self._threshold
        return Pairs(pairs.rows[found], pairs.others[found])

    def cosines(self, pairs: Pairs) -> NDArray[np.float64]:
        """Compute the cosines of pairs, in the order given."""
        parts = [np.empty(0)]
        for start in range(0, len(pairs.rows), _PAIRS):
            rows, others = (numbers[start : start + _PAIRS] for numbers in pairs)
            products = self._rows[rows].multiply(self._rows[others])
            parts.append(np.asarray(products.sum(axis=1)).ravel())
        return as_cosines(np.concatenate(parts))

    def _runs(self, numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Cut rows into runs with their cuts close together; rows of length 0 are like none."""
        cuts = self._cuts[numbers]
        order = numbers[np.argsort(cuts, kind="stable")]
        order = order[: np.count_nonzero(cuts < self._rows.shape[1])]
        for start in range(0, len(order), _BLOCK):
            yield order[start : start + _BLOCK]

    def _block(self, numbers: NDArray[np.int64]) -> _Block:
        return _Block(numbers, self._rows[numbers].T.tocsr())

    def _candidates(self, numbers: NDArray[np.int64], block: _Block) -> Pairs:
        """Compare the rare terms of documents, and bound what the frequent ones can add."""
        first = int(self._cuts[numbers].min())
        rows, terms = self._rows[numbers][:, first:], block.by_term[first:]
        found = rows @ terms
        in_rows = np.repeat(np.arange(len(numbers)), np.diff(rows.indptr))
        lengths = _lengths_without(rows.data, in_rows, len(numbers))
        other_lengths = _lengths_without(terms.data, terms.indices, len(block.numbers))
        places = np.repeat(np.arange(len(numbers)), np.diff(found.indptr))
        bounds = found.data + lengths[places] * other_lengths[found.indices]
        kept = bounds >= self._threshold - _SLACK
        return Pairs(numbers[places[kept]], block.numbers[found.indices[kept]])


def _frequent_terms_first(rows: sparse.csr_array) -> sparse.csr_array:
    frequency = np.bincount(rows.indices, minlength=rows.shape[1])
    place = np.empty(rows.shape[1], dtype=rows.indices.dtype)
    place[np.argsort(-frequency, kind="stable")] = np.arange(rows.shape[1])
    ordered = sparse.csr_array(
        (rows.data.copy(), place[rows.indices], rows.indptr.copy()), shape=rows.shape
    )
    ordered.sort_indices()
    return ordered


def _find_cuts(rows: sparse.csr_array, length: float) -> NDArray[np.int64]:
    """Return (n,) the first column with which a row reaches a length; else how many there are."""
    sums = np.concatenate(([0.0], np.cumsum(np.square(rows.data))))
    before = np.repeat(sums[rows.indptr[:-1]], np.diff(rows.indptr))
    is_late = np.concatenate(([0], np.cumsum(np.sqrt(sums[1:] - before) >= length)))
    num_late = is_late[rows.indptr[1:]] - is_late[rows.indptr[:-1]]
    cuts = np.full(rows.shape[0], rows.shape[1], dtype=np.int64)
    cuts[num_late > 0] = rows.indices[(rows.indptr[1:] - num_late)[num_late > 0]]
    return cuts


def _lengths_without(
    weights: NDArray[np.float64], places: NDArray[np.integer], num_rows: int
) -> NDArray[np.float64]:
    """Return how long rows of length 1 are without these of their weights, or a little longer."""
    squares = np.bincount(places, weights=np.square(weights), minlength=num_rows)
    return np.asarray(np.sqrt(np.clip(1 - squares, 0, None) + _SQUARE_SLACK))
