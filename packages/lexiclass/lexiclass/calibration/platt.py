"""One sigmoid of one score."""

from __future__ import annotations

import numpy as np
import scipy  # loads its optimize when that is first used: predicting does without
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration.base import Matrix

# Divided by less, a slope could be more than a float holds.
_SMALLEST_SIZE = 1e-300

# Beside the largest score, differences that rounding makes.
_NO_DIFFERENCE = 1e-12


def fit_sigmoid(
    scores: Matrix, positive: NDArray[np.bool_], weights: Matrix | None = None
) -> tuple[float, float]:
    """Fit ``P(positive) = expit(slope * score + offset)``.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its smoothed
    targets and the numerically safe likelihood of H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's
    probabilistic outputs for support vector machines", Machine Learning 68, 2007. Steps are taken
    on scores around 0 of a size of 1, for they have one length for slope and offset.

    Args:
        scores: (n,) scores.
        positive: (n,) whether each is of the class.
        weights: (n,) what each counts; 1 if not given.

    Returns:
        Slope and offset.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    high, low = smoothed_targets(positive, weights)
    targets = np.where(positive, high, low)
    centre, size = _centre_and_size(scores, weights)
    scores = scores / size - centre

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        slope, offset = parameters
        z = slope * scores + offset
        value = float((weights * (np.logaddexp(0, z) - targets * z)).sum())
        error = weights * (special.expit(z) - targets)
        # Not a dot product: its threads cost more than they save at this size.
        return value, np.array([(error * scores).sum(), error.sum()])

    num_positive = float(weights[positive].sum())
    start = np.array([0.0, np.log((num_positive + 1) / (weights.sum() - num_positive + 1))])
    best = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B")
    slope, offset = map(float, best.x)
    return slope / size, offset - slope * centre


def _centre_and_size(scores: Matrix, weights: Matrix) -> tuple[float, float]:
    """Return what scores are divided by, and then the number they lie around."""
    largest = float(np.abs(scores).max(initial=0.0))
    if not _SMALLEST_SIZE < largest < np.inf:
        return 0.0, 1.0
    scores = scores / largest
    centre = float(np.average(scores, weights=weights))
    spread = float(np.sqrt(np.average(np.square(scores - centre), weights=weights)))
    if spread < _NO_DIFFERENCE:
        return centre, largest
    return centre / spread, largest * spread


def smoothed_targets(positive: NDArray[np.bool_], weights: Matrix) -> tuple[float, float]:
    """Return what is aimed at for documents of the class and others, instead of 1 and 0.

    As if each side had one document more, of which nothing is known.
    """
    num_positive = float(weights[positive].sum())
    num_negative = float(weights.sum()) - num_positive
    return (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2)
