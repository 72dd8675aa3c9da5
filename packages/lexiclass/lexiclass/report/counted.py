"""Documents as counts of terms, taken in a batch at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.near_duplicates import content_keys, fingerprints
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate

#: Documents among which near-duplicates are looked for: some hundred megabytes of counts.
MAX_COMPARED = 100_000


class CountedDocuments:
    """Takes in tokens of documents, each batch over terms of its own; several can share numbers."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._parts: list[TokenMatrix] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, tokens: TokenMatrix) -> None:
        """Take in some documents."""
        numbers = self._vocabulary.encode(tokens.terms)
        self._parts.append(TokenMatrix([], numbers[tokens.ids], tokens.indptr))
        self._length += len(tokens)

    def counts(self) -> sparse.csr_array:
        """Return (n, m) counts of the n documents, over all terms of the vocabulary by now."""
        return concatenate(self._parts, list(self._vocabulary)).counts()


def duplicate_keys(counts: sparse.csr_array) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Say which documents are the same, by (n, m) counts of their terms.

    Returns:
        (n,) numbers that are equal for documents that are the same or nearly so, and those that
        are equal for documents of the same words alone. A document without any word is like no
        other.
    """
    rows = sparse.csr_array(counts.astype(np.float32))
    nearly, same = content_keys(rows), fingerprints(rows)
    empty = np.flatnonzero(np.diff(counts.indptr) == 0)
    for keys in (nearly, same):
        free = np.setdiff1d(np.arange(2 * len(keys), dtype=np.uint64), keys)
        keys[empty] = free[: len(empty)]
    return nearly, same
