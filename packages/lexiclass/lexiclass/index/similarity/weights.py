"""The weights by which documents of an index are compared with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.plugins.features.rows import scale_rows

# Decimals of a cosine that count. Sums of the same terms in another order differ in the 15th or
# so: documents that differ by less than this are equally similar.
_DECIMALS = 9


def inverse_frequency(frequency: NDArray[np.number], num_documents: int) -> NDArray[np.float64]:
    """Return ``ln((1 + n) / (1 + df)) + 1`` of terms that ``df`` of n documents have."""
    return np.asarray(np.log((1 + num_documents) / (1 + frequency)) + 1)


def weigh(counts: sparse.csr_array, inverse: NDArray[np.float64]) -> sparse.csr_array:
    """Turn (n, m) counts into rows of length 1, in place: ``(1 + ln(count)) * inverse``."""
    counts.data = (1 + np.log(counts.data)) * inverse[counts.indices]
    return scale_rows(counts, "l2")


def weigh_among_themselves(counts: sparse.csr_array) -> sparse.csr_array:
    """Weigh (n, m) counts by how frequent terms are among these same documents."""
    rows = counts.astype(np.float64)
    frequency = np.bincount(rows.indices, minlength=rows.shape[1])
    return weigh(rows, inverse_frequency(frequency, rows.shape[0]))


def as_cosines(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round sums of products to cosines that do not depend on their order; 1 at most."""
    return np.minimum(values.round(_DECIMALS), 1.0)
