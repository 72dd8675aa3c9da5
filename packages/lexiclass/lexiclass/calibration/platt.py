"""One sigmoid of one score."""

from __future__ import annotations

import numpy as np
import scipy  # loads its optimize when that is first used: predicting does without
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration.base import Matrix


def fit_sigmoid(
    scores: Matrix, positive: NDArray[np.bool_], weights: Matrix | None = None
) -> tuple[float, float]:
    """Fit ``P(positive) = expit(slope * score + offset)``.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its smoothed
    targets and the numerically safe likelihood of H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's
    probabilistic outputs for support vector machines", Machine Learning 68, 2007.

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
    return float(best.x[0]), float(best.x[1])


def smoothed_targets(positive: NDArray[np.bool_], weights: Matrix) -> tuple[float, float]:
    """Return what is aimed at for documents of the class and others, instead of 1 and 0.

    As if each side had one document more, of which nothing is known.
    """
    num_positive = float(weights[positive].sum())
    num_negative = float(weights.sum()) - num_positive
    return (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2)
