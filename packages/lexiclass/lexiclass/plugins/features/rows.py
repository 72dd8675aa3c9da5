"""Scaling rows of matrices, sparse and dense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import InvalidParameters
from lexiclass.rows import Rows

Matrix = TypeVar("Matrix", bound=Rows)

Norm = Literal["l1", "l2"] | None


def scale_rows(matrix: Matrix, norm: Norm, ends: Sequence[int] = ()) -> Matrix:
    """Scale every row of a float matrix to length 1, in place; rows of zeros stay as they are.

    Args:
        matrix: (n, m) floats, CSR or dense; changed.
        norm: ``l1`` sum of absolute values, ``l2`` Euclidean length, ``None`` leaves it as it is.
        ends: Columns after the last of each kind, where those of a CSR matrix are of several. Each
            kind of a row is then scaled to length 1 before all of it is, so that a kind with many
            columns does not drown one with few.
    """
    if norm is None:
        return matrix
    if isinstance(matrix, sparse.csr_array):
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        if len(ends) > 1:
            kinds = np.searchsorted(ends, matrix.indices, side="right")
            _scale_groups(matrix, norm, rows * len(ends) + kinds)
        _scale_groups(matrix, norm, rows)
    else:
        sizes = np.abs(matrix) if norm == "l1" else np.square(matrix)
        lengths = _lengths(sizes.sum(axis=1, dtype=np.float64), norm)
        np.divide(matrix, lengths[:, np.newaxis].astype(matrix.dtype), out=matrix)
    return matrix


def evidence(rows: Rows) -> NDArray[np.float64]:
    """Return (n,) how many features each row rests on.

    Rows of counts rest on those that are not 0. Embeddings do not tell: enough for any purpose,
    infinitely many, unless the whole row is 0.
    """
    if isinstance(rows, sparse.csr_array):
        is_there = np.concatenate(([0], np.cumsum(rows.data != 0)))
        return np.diff(is_there[rows.indptr]).astype(np.float64)
    return np.where(np.asarray(rows).any(axis=1), np.inf, 0.0)


def require_finite(rows: Rows) -> None:
    """Refuse features that no classifier can learn from.

    Raises:
        InvalidParameters: If a value is not a finite number.
    """
    values = rows.data if isinstance(rows, sparse.csr_array) else np.asarray(rows)
    if not np.isfinite(values).all():
        raise InvalidParameters(
            "The feature extractor gave numbers that are not finite (NaN or infinite), which no "
            "classifier can learn from; mend its parameters or what it was trained on."
        )


def _scale_groups(matrix: sparse.csr_array, norm: Norm, groups: NDArray[np.integer]) -> None:
    """Scale the cells of each group, whose numbers are given, to length 1."""
    sizes = np.abs(matrix.data) if norm == "l1" else np.square(matrix.data)
    lengths = _lengths(np.bincount(groups, weights=sizes), norm)
    matrix.data /= lengths[groups].astype(matrix.dtype)


def _lengths(sums: NDArray[Any], norm: Norm) -> NDArray[np.float64]:
    lengths = np.asarray(np.sqrt(sums) if norm == "l2" else sums, dtype=np.float64)
    lengths[lengths == 0] = 1
    return lengths
