"""Splitting training documents for out-of-fold scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_folds(codes: NDArray[np.intp], num_folds: int, seed: int) -> NDArray[np.intp]:
    """Assign documents to folds so that every fold's complement has every class.

    Each class is shuffled and dealt out over the folds. A class with a single document is in no
    fold: that document is needed wherever something is trained.

    Args:
        codes: (n,) class of each document, 0, 1, ...
        num_folds: Number of folds.
        seed: Seed of the shuffle.

    Returns:
        (n,) fold of each document, or -1 for those that are never held out.
    """
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    folds = np.empty(len(codes), dtype=np.intp)
    # Dealing on without a restart per class keeps the folds equally large.
    folds[order] = np.arange(len(codes)) % num_folds
    folds[np.bincount(codes)[codes] < 2] = -1
    return folds
