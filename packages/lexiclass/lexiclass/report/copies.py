"""Copies among test documents: those of one text say as much as one document.

Documents come in groups of near-duplicates. Figures are of all of them, and what is said about
chance is of the groups: a group goes one way or the other as a whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Groups: TypeAlias = NDArray[np.integer]
Column: TypeAlias = NDArray[np.float64]


def has_copies(groups: Groups | None) -> bool:
    """Whether any of (n,) groups is of more than one document; False if they are not known."""
    return groups is not None and len(np.unique(groups)) < len(groups)


def first_of_each(groups: Groups | None, number: int) -> NDArray[np.intp]:
    """Return the first document of each group, rising: of n that all differ, all of them."""
    if groups is None:
        return np.arange(number)
    return np.sort(np.unique(groups, return_index=True)[1])


def numbered(groups: Groups | None, number: int) -> NDArray[np.intp]:
    """Return (n,) numbers of n documents' groups, in the order of the first of each."""
    if groups is None:
        return np.arange(number)
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    return place[group]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Groups of documents by the cells that these are in; equal groups are counted.

    Attributes:
        members: (t, m) documents that a group of each kind has in each of m cells.
        counts: (t,) groups of each kind.
    """

    members: sparse.csr_array
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, cell_of: NDArray[np.integer], groups: Groups, num_cells: int) -> Self:
        """Count the groups of n documents, by (n,) cells and groups of these."""
        pairs, documents = np.unique(
            numbered(groups, len(groups)) * num_cells + cell_of, return_counts=True
        )
        group, cell = np.divmod(pairs, num_cells)
        starts = [*np.flatnonzero(np.diff(group, prepend=-1)).tolist(), len(pairs)]
        cells, numbers = cell.tolist(), documents.tolist()
        kinds = Counter(
            tuple(zip(cells[start:end], numbers[start:end], strict=True))
            for start, end in pairwise(starts)
        )
        # In the order of cells, as single documents are.
        ordered = sorted(kinds)
        rows = [row for row, kind in enumerate(ordered) for _ in kind]
        columns = [cell for kind in ordered for cell, _ in kind]
        values = [float(number) for kind in ordered for _, number in kind]
        return cls(
            sparse.csr_array((values, (rows, columns)), shape=(len(ordered), num_cells)),
            np.array([kinds[kind] for kind in ordered], dtype=np.int64),
        )

    @property
    def mean_size(self) -> float:
        """Documents a group."""
        return float(self.members.sum(axis=1) @ self.counts / self.counts.sum())

    @property
    def usual_size(self) -> float:
        """Documents of the group that a document is in, in the mean over documents.

        So many times the variance of a sum grows if all of a group add the same: L. Kish, Survey
        Sampling (1965).
        """
        sizes = self.members.sum(axis=1)
        return float(self.counts @ sizes**2 / (self.counts @ sizes))

    def effect(self, values: Column) -> float:
        """How many times the variance of a sum grows by groups: the usual size of one at least.

        Of copies nobody knows more than of as many groups, also where those of the largest group
        happen to add nothing. ``values`` (m,) are what a document of each cell adds.
        """
        return max(self.usual_size, self.growth(values))

    def growth(self, values: Column) -> float:
        """How many times the sum of squares over groups is that over documents; 0 of nothing."""
        single = float((self.counts @ self.members) @ values**2)
        of_groups = float(self.counts @ (self.members @ values) ** 2)
        return of_groups / single if single else 0.0

    def effects(self, values: sparse.csr_array) -> tuple[Column, Column]:
        """Return (k,) effects of k sums, and the documents of a group that have a part in each.

        ``values`` (m, k) are what a document of each cell adds; one that adds 0 is held as well.
        """
        part = sparse.csr_array((np.ones(values.nnz), values.indices, values.indptr), values.shape)
        members = self.members @ part
        documents, groups = self.counts @ members, self.counts @ (members > 0)
        size, usual_size = np.ones(len(groups)), np.ones(len(groups))
        np.divide(documents, groups, out=size, where=groups > 0)
        np.divide(self.counts @ members**2, documents, out=usual_size, where=groups > 0)
        single = (self.counts @ self.members) @ values**2
        effect = np.zeros(len(size))
        of_groups = self.counts @ (self.members @ values) ** 2
        np.divide(of_groups, single, out=effect, where=single > 0)
        return np.maximum(usual_size, effect), size


def swapped_p_value(net: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """Return the two-sided p-value of McNemar's exact test, of groups of documents.

    If both models are as good, what one has more right of a group than the other it has as
    probably less. So the sum is one of independent signs, whose distribution is exact here: by its
    Fourier transform, which is the product of those of the sizes.

    Args:
        net: (t,) documents that the second model has more right than the first in a group.
        counts: (t,) groups of which that is so.
    """
    sizes, kind = np.unique(np.abs(net), return_inverse=True)
    groups = np.bincount(kind, weights=counts)[sizes > 0]
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    # Of groups of one size their number counts, not their size.
    divisor = int(np.gcd.reduce(sizes))
    sizes, observed = sizes // divisor, abs(int(net @ counts)) // divisor
    most = int(sizes @ groups)
    fewer = (most - observed) // 2
    if len(sizes) == 1:
        return min(1.0, 2 * float(special.bdtr(fewer, most, 0.5)))
    frequency = np.exp(-2j * np.pi * np.arange(most // 2 + 2) / (2 * (most // 2 + 1)))
    transform = np.ones(len(frequency), dtype=np.complex128)
    for size, number in zip(sizes.tolist(), groups.tolist(), strict=True):
        transform *= ((1 + frequency**size) / 2) ** number
    share = np.fft.irfft(transform, 2 * (most // 2 + 1))
    # What rounding leaves must not be less than the one way in which all go the same.
    least = max(2.0 ** (1 - groups.sum()), np.finfo(np.float64).tiny)
    return float(np.clip(2 * share[: fewer + 1].sum(), least, 1.0))
