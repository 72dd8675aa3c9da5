"""Splitting training documents for out-of-fold scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: (n,) numbers that say which documents are the same; see :mod:`lexiclass.near_duplicates`.
Keys = NDArray[np.uint64]

# Two odd numbers of full width: the finalizer of MurmurHash3 (A. Appleby, 2011).
_FIRST, _SECOND = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)


def stratified_folds(
    codes: NDArray[np.intp], num_folds: int, seed: int, keys: Keys | None = None
) -> NDArray[np.intp]:
    """Assign documents to folds so that every fold's complement has every class.

    Each class is shuffled and dealt out over the folds; documents that are the same go together, or
    one would be asked about what the other has taught. The shuffle goes by the keys and not by
    places: where those come from the documents' content, their order changes nothing. A class whose
    documents are all in one fold, as a single one is, is never held out: it is needed wherever
    something is trained.

    Args:
        codes: (n,) class of each document, 0, 1, ...
        num_folds: Number of folds.
        seed: Seed of the shuffle.
        keys: Equal for documents that are the same; if not given all are different.

    Returns:
        (n,) fold of each document, or -1 for those that are never held out.
    """
    if not len(codes):
        return np.empty(0, dtype=np.intp)
    keys = np.arange(len(codes), dtype=np.uint64) if keys is None else keys
    folds = dealt_folds(codes, num_folds, seed, keys)
    lowest = np.full(codes.max() + 1, num_folds)
    highest = np.full(codes.max() + 1, -1)
    np.minimum.at(lowest, codes, folds)
    np.maximum.at(highest, codes, folds)
    folds[(lowest == highest)[codes]] = -1
    # What is the same as one that stays would be asked about what that one has taught.
    folds[np.isin(keys, keys[folds == -1])] = -1
    return folds


def dealt_folds(codes: NDArray[np.intp], num_folds: int, seed: int, keys: Keys) -> NDArray[np.intp]:
    """Deal all documents out over folds, as :func:`stratified_folds` does before it takes some out.

    Returns:
        (n,) fold of each document.
    """
    order = np.lexsort((mixed(keys ^ mixed(np.array([seed], dtype=np.uint64))), codes))
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (np.diff(codes[order]) != 0) | (keys[order][1:] != keys[order][:-1])
    folds = np.empty(len(codes), dtype=np.intp)
    # Dealing on without a restart per class keeps the folds equally large.
    folds[order] = (np.cumsum(is_first) - 1) % num_folds
    # The same text under several classes goes where it went first.
    _, first, group = np.unique(keys[order], return_index=True, return_inverse=True)
    folds[order] = folds[order][first][group]
    return folds


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers, each by itself, so that near ones are far apart."""
    numbers = (numbers ^ (numbers >> _SHIFT)) * _FIRST
    numbers = (numbers ^ (numbers >> _SHIFT)) * _SECOND
    return np.asarray(numbers ^ (numbers >> _SHIFT))
