"""N-grams of one length in the training documents, and numbering those that become features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.plugins.features.ngrams.keys import index_type, pair_counts
from lexiclass.plugins.features.ngrams.vocabulary import map_columns, renumbering
from lexiclass.tokens import TokenMatrix, offsets


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The n-grams of one length that are frequent enough.

    Attributes:
        keys: Packed key of every node, sorted; see
            :mod:`lexiclass.plugins.features.ngrams.vocabulary`.
        counts: (n, num_nodes) how often each is in each document.
    """

    keys: NDArray[np.int64]
    counts: sparse.csc_array

    @classmethod
    def single(cls, tokens: TokenMatrix, fewest: int) -> tuple[Self, NDArray[np.int64]]:
        """Keep the terms that are in at least ``fewest`` documents, sorted.

        Returns:
            The level, whose keys are the numbers of the terms, and the node of every term, or -1.
        """
        counts = tokens.counts()
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        kept = sorted(np.flatnonzero(documents >= fewest).tolist(), key=tokens.terms.__getitem__)
        nodes = np.full(counts.shape[1], -1, dtype=np.int64)
        nodes[kept] = np.arange(len(kept))
        matrix = map_columns(counts, nodes, len(kept)).tocsc()
        return cls(np.array(kept, dtype=np.int64), matrix), nodes

    @classmethod
    def packed(
        cls,
        packed: NDArray[np.int64],
        rows: NDArray[np.integer],
        num_documents: int,
        fewest: int,
    ) -> Self:
        """Keep the keys that are in at least ``fewest`` documents.

        Args:
            packed: (m,) key of every position where there is one.
            rows: (m,) document of each.
            num_documents: Number of all documents.
            fewest: Fewest documents.
        """
        keys, documents, counts = pair_counts(packed, rows, num_documents)
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        sizes = np.diff(first, append=len(keys))
        frequent = sizes >= fewest
        kept = np.repeat(frequent, sizes)
        indptr = offsets(sizes[frequent])
        dtype = index_type(int(indptr[-1]), num_documents)
        matrix = sparse.csc_array(
            (
                counts[kept].astype(np.float32),
                documents[kept].astype(dtype),
                indptr.astype(dtype),
            ),
            shape=(num_documents, len(indptr) - 1),
        )
        return cls(keys[first][frequent], matrix)

    @property
    def documents(self) -> NDArray[np.int64]:
        """(num_nodes,) number of documents every node is in."""
        return np.diff(self.counts.indptr)


def number_columns(
    candidates: Sequence[NDArray[np.bool_]],
    totals: Callable[[], Sequence[NDArray[Any]]],
    max_features: int | None,
) -> tuple[NDArray[np.int64], ...]:
    """Number the chosen nodes of all levels 0, 1, ...; the others get -1.

    Args:
        candidates: (num_nodes,) for each level, which may be chosen.
        totals: Returns (num_nodes,) for each level how often each occurs; not called without need.
        max_features: Choose only this many, the most frequent ones; all if not given.
    """
    chosen = np.concatenate(candidates)
    if max_features is not None and np.count_nonzero(chosen) > max_features:
        # A stable sort breaks ties by level and then by term, so the choice is reproducible.
        order = np.where(chosen, -np.concatenate(totals()), 1)
        best = np.argsort(order, kind="stable")[:max_features]
        chosen = np.zeros_like(chosen)
        chosen[best] = True
    ends = np.cumsum([len(level) for level in candidates])
    return tuple(np.split(renumbering(chosen)[:-1], ends[:-1]))
