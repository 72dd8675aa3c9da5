"""Whether confidences mean what they say, judged by finitely many documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from lexiclass.report.copies import Groups, first_of_each, numbered
from lexiclass.report.intervals import LEVEL, Interval
from lexiclass.report.model import ReliabilityPoint

Column: TypeAlias = NDArray[np.float64]
Right: TypeAlias = NDArray[np.bool_]

SIMULATIONS: Final = 500
"""Test sets of a perfectly calibrated model that a band is made of."""

_BINS: Final = 15
_CURVE_POINTS: Final = 50
_MOST_STEPS: Final = 500
_LEAST_PROBABILITY: Final = 1e-15


def debiased_calibration_error(confidence: Column, correct: Right) -> float:
    """Return how far confidence is from accuracy, without what chance alone makes of it.

    The root mean square over 15 bins of as many documents each, less the variance of each bin's
    accuracy: A. Kumar, P. Liang, T. Ma, NeurIPS 2019. Of a perfectly calibrated model its square
    is 0 on average, whatever the number of documents; below 0 it counts as 0. Documents of equal
    confidence are in one bin: else their order, by class say, would decide on it.

    Args:
        confidence: (n,) probability of the predicted class.
        correct: (n,) whether the prediction was right.
    """
    order = np.argsort(confidence, kind="stable")
    number = len(order)
    if number < 2:
        return 0.0
    ordered = confidence[order]
    # At least two documents a bin: of one, the variance is not known.
    starts = np.linspace(0, number, min(_BINS, number // 2) + 1).astype(np.intp)[:-1]
    starts = np.unique(np.searchsorted(ordered, ordered[starts]))
    starts = starts[np.diff(starts, prepend=-2) > 1]
    sizes = np.diff(np.append(starts, number))
    mean = np.add.reduceat(ordered, starts) / sizes
    accuracy = np.add.reduceat(correct[order].astype(np.float64), starts) / sizes
    squares = (mean - accuracy) ** 2 - accuracy * (1 - accuracy) / (sizes - 1)
    return float(np.sqrt(max(0.0, (sizes * squares).sum() / number)))


def perfect_band(
    figure: Callable[[Column, Right], float],
    confidence: Column,
    groups: Groups | None = None,
    *,
    seed: int = 0,
) -> Interval:
    """Return where a calibration error of a perfectly calibrated model lies on as many documents.

    Args:
        figure: The calibration error, of confidences and whether each was right.
        confidence: (n,) what the model itself says.
        groups: (n,) number that near-duplicates have in common; None if all differ. Those of a
            group are right or wrong together.
        seed: Of the simulated test sets.

    Returns:
        From 0 to what it is at most, on 19 of 20 test sets.
    """
    random = np.random.default_rng(seed)
    # What is in order already is sorted quickly.
    order = np.argsort(confidence, kind="stable")
    ordered, luck = confidence[order], _luck(None if groups is None else groups[order], random)
    found = [figure(ordered, luck(len(ordered)) < ordered) for _ in range(SIMULATIONS)]
    return Interval(0.0, float(np.quantile(found, LEVEL)))


def brier_score(of_truth: Column, squares: Column) -> float:
    """Return the mean squared distance of probabilities from the truth, over classes, in [0, 2].

    Source: G. Brier, Monthly Weather Review 78 (1950).

    Args:
        of_truth: (n,) probability of each document's true class; 0 if the model does not know it.
        squares: (n,) sum of the squares of its probabilities.
    """
    return float((squares - 2 * of_truth + 1).mean())


def log_loss(of_truth: Column) -> float:
    """Return the mean of minus the logarithm of each true class' probability, in nats.

    A probability below 1e-15 counts as that.
    """
    return float(-np.log(np.maximum(of_truth, _LEAST_PROBABILITY)).mean())


def reliability_curve(
    confidence: Column, correct: Right, groups: Groups | None = None
) -> list[ReliabilityPoint]:
    """Estimate accuracy as a function of confidence, which never falls.

    By isotonic regression, which needs no bins, with the band that perfectly calibrated
    confidences would show: T. Dimitriadis, T. Gneiting, A. Jordan, PNAS 118 (2021).

    Args:
        confidence: (n,) probability of the predicted class, at least one.
        correct: (n,) whether the prediction was right.
        groups: (n,) number that near-duplicates have in common; None if all differ. In the band
            those of a group are right or wrong together.
    """
    once = confidence[first_of_each(groups, len(confidence))]
    # Equal confidences are one step; of more than some hundred, nearly equal ones are.
    edges = np.unique(np.quantile(once, np.linspace(0, 1, _MOST_STEPS + 1)))
    step = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, len(edges) - 1)
    documents = np.bincount(step, minlength=len(edges))
    kept = documents > 0
    means = np.bincount(step, weights=confidence, minlength=len(edges))[kept] / documents[kept]
    points = np.unique(np.quantile(once, np.linspace(0, 1, _CURVE_POINTS)))

    def estimate(right: Right) -> Column:
        shares = np.bincount(step, weights=right, minlength=len(edges))[kept] / documents[kept]
        fitted = isotonic_regression(shares, weights=documents[kept]).x
        return np.interp(points, means, fitted)

    luck = _luck(groups, np.random.default_rng(0))
    simulated = np.stack([estimate(luck(len(confidence)) < confidence) for _ in range(SIMULATIONS)])
    low, high = np.quantile(simulated, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    nearest = np.abs(np.subtract.outer(means, points)).argmin(axis=1)
    numbers = np.bincount(nearest, weights=documents[kept], minlength=len(points))
    return [
        ReliabilityPoint(
            confidence=point, accuracy=accuracy, low=least, high=most, num_documents=int(number)
        )
        for point, accuracy, least, most, number in np.transpose(
            (points, estimate(correct), low, high, numbers)
        ).tolist()
    ]


def _luck(groups: Groups | None, random: np.random.Generator) -> Callable[[int], Column]:
    """Return what draws a number in [0, 1) for each of n documents: one of each group."""
    if groups is None:
        return random.random
    group = numbered(groups, len(groups))
    number = int(group.max()) + 1
    return lambda _: random.random(number)[group]
