"""Documents as rows of features."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

#: (n, num_features) float32 rows of documents: sparse from counting, dense from neural encoders.
Rows: TypeAlias = sparse.csr_array | NDArray[np.floating[Any]]


def with_sorted_indices(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return a matrix whose rows have their columns in order, as it is or a copy."""
    if matrix.nnz >= matrix.shape[1]:
        # There and back sorts them in linear time, by counting columns.
        return sparse.csr_array(matrix.tocsc().tocsr())
    matrix.sort_indices()
    return matrix
