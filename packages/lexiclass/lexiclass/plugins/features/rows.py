"""Scaling rows of sparse matrices."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import sparse


def scale_rows(matrix: sparse.csr_array, norm: Literal["l1", "l2"] | None) -> sparse.csr_array:
    """Scale every row of a float CSR matrix to length 1, in place; empty rows stay empty.

    Args:
        matrix: (n, m) floats; changed.
        norm: ``l1`` sum of absolute values, ``l2`` Euclidean length, ``None`` leaves it as it is.
    """
    if norm is None:
        return matrix
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    sizes = np.abs(matrix.data) if norm == "l1" else np.square(matrix.data)
    lengths = np.bincount(rows, weights=sizes, minlength=matrix.shape[0])
    if norm == "l2":
        lengths = np.sqrt(lengths)
    lengths[lengths == 0] = 1
    matrix.data /= lengths[rows].astype(matrix.dtype)
    return matrix
