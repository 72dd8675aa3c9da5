"""What rows would be had fewer documents been learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.plugins.features.rows import Norm, scale_rows
from lexiclass.plugins.training_rows import Relearn
from lexiclass.rows import Rows


def kept_frequency(rows: Rows, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (m,) how many documents have each feature, of (n, m) rows the (n,) ones kept."""
    counted = sparse.csr_array(rows)
    cells = np.repeat(kept, np.diff(counted.indptr))
    return np.bincount(counted.indices[cells], minlength=counted.shape[1])


def scaled_columns(
    factors: NDArray[np.float32], norm: Norm = None, ends: Sequence[int] = ()
) -> Relearn:
    """Return what multiplies columns by (m,) factors, drops those times 0, and scales rows again.

    See :func:`~lexiclass.plugins.features.rows.scale_rows` of norm and ends.
    """

    def apply(rows: sparse.csr_array) -> sparse.csr_array:
        cells = rows.data * factors[rows.indices]
        kept = cells != 0
        before = np.concatenate(([0], np.cumsum(kept))).astype(rows.indptr.dtype)
        scaled = sparse.csr_array(
            (cells[kept], rows.indices[kept], before[rows.indptr]), shape=rows.shape
        )
        return scale_rows(scaled, norm, ends)

    return apply
