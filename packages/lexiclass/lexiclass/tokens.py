"""Tokenized documents as integers.

A list of token lists costs about 60 bytes and a Python object per token; here a token is one int32
id into a list of distinct terms. Order is kept, so counts and n-grams of any length follow from it
by array operations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count, islice
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.rows import with_sorted_indices


class StableTerms(list[str]):
    """Terms of many batches, never changed: who has seen them knows them again."""

    __slots__ = ("__weakref__",)


class Vocabulary:
    """Distinct terms, numbered in the order they were first seen. Only grows."""

    __slots__ = ("_ids",)

    def __init__(self, terms: Iterable[str] = ()) -> None:
        self._ids: defaultdict[str, int] = defaultdict(None, zip(terms, count(), strict=False))
        self._ids.default_factory = count(len(self._ids)).__next__

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def since(self, size: int) -> list[str]:
        """Return the terms added after the vocabulary had ``size`` terms."""
        return list(islice(reversed(self._ids), len(self._ids) - size))[::-1]

    def encode(self, terms: Iterable[str]) -> NDArray[np.int32]:
        """Number the terms, adding those not seen before; the loop runs in C."""
        return np.fromiter(map(self._ids.__getitem__, terms), dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class TokenMatrix:
    """A batch of tokenized documents.

    Attributes:
        terms: Distinct terms; may hold terms that no document of the batch uses.
        ids: (num_tokens,) index into ``terms`` of every token, document after document.
        indptr: (num_documents + 1,) document ``i`` is ``ids[indptr[i]:indptr[i + 1]]``.
        counted: Gives what :meth:`counts` returns, where it was counted before.
    """

    terms: Sequence[str]
    ids: NDArray[np.int32]
    indptr: NDArray[np.int64]
    counted: Callable[[], sparse.csr_array] | None = None

    @classmethod
    def from_lists(
        cls, documents: Iterable[Sequence[str]], vocabulary: Vocabulary | None = None
    ) -> Self:
        """Encode documents as lists of tokens; numbers go on from a vocabulary, which grows."""
        vocabulary = Vocabulary() if vocabulary is None else vocabulary
        lists = list(documents)
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        ids = vocabulary.encode(chain.from_iterable(lists))
        return cls(list(vocabulary), ids, offsets(lengths))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(num_documents,) number of tokens of each document."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> NDArray[np.int32]:
        """(num_tokens,) document number of every token."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    def to_lists(self) -> list[list[str]]:
        """Return the documents as lists of tokens."""
        tokens = list(map(self.terms.__getitem__, self.ids.tolist()))
        return [tokens[a:b] for a, b in zip(self.indptr[:-1], self.indptr[1:], strict=True)]

    def take(self, rows: NDArray[np.integer]) -> TokenMatrix:
        """Return the documents ``rows``, in that order, over the same terms."""
        lengths = self.lengths[rows]
        indptr = offsets(lengths)
        # Position j of the result comes from the start of its document plus its place in it.
        source = np.repeat(self.indptr[:-1][rows] - indptr[:-1], lengths)
        source += np.arange(indptr[-1])
        return TokenMatrix(self.terms, self.ids[source], indptr)

    def first(self, count: int) -> TokenMatrix:
        """Return the documents cut to so many first tokens, over the same terms."""
        lengths = np.minimum(self.lengths, count)
        indptr = offsets(lengths)
        source = np.repeat(self.indptr[:-1] - indptr[:-1], lengths)
        source += np.arange(indptr[-1])
        return TokenMatrix(self.terms, self.ids[source], indptr)

    def counts(self) -> sparse.csr_array:
        """Return (num_documents, num_terms) int32 counts, indices sorted."""
        if self.counted is not None:
            return self.counted()
        matrix = sparse.csr_array(
            (np.ones(len(self.ids), dtype=np.int32), self.ids, self.indptr),
            shape=(len(self), len(self.terms)),
            copy=True,
        )
        matrix = with_sorted_indices(matrix)
        matrix.sum_duplicates()
        return matrix

    def counted_once(self) -> TokenMatrix:
        """Return the same documents; what they are counted to is kept from the first time on.

        For several readers of the counts, none of which changes them.
        """
        return replace(self, counted=cache(self.counts))


def concatenate(matrices: Sequence[TokenMatrix], terms: Sequence[str]) -> TokenMatrix:
    """Join batches that share one growing vocabulary, ``terms`` being its last state."""
    ids = [matrix.ids for matrix in matrices]
    lengths = [matrix.lengths for matrix in matrices]
    return TokenMatrix(
        terms,
        np.concatenate(ids) if ids else np.empty(0, np.int32),
        offsets(np.concatenate(lengths) if lengths else np.empty(0, np.int64)),
    )


def offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n + 1,) start offsets of n consecutive runs of the given lengths."""
    result = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=result[1:])
    return result
