"""How far confidences are from what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration.base import Matrix


def expected_calibration_error(
    confidence: Matrix, correct: NDArray[np.bool_], *, num_bins: int = 15
) -> float:
    """Return how far confidence is from accuracy, on average over documents.

    Documents fall into bins of equal width over [0, 1], closed on the right; a bin counts by its
    share of the documents. Source: M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015, with 15 bins as
    in Guo et al. 2017.

    Args:
        confidence: (n,) probability of the predicted class.
        correct: (n,) whether the prediction was right.
        num_bins: Number of bins.
    """
    if len(confidence) == 0:
        return 0.0
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.intp) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(confidence))
