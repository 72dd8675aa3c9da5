"""Intervals of figures: what a figure may be on all documents, of which some were looked at.

Shares have the interval of E. B. Wilson, JASA 22 (1927), and where something is guaranteed the
exact one of C. Clopper and E. Pearson, Biometrika 26 (1934). The F1 of a class is 2 j / (1 + j)
with the share j of right documents among those that are of the class or predicted as such, so that
the ends of the interval of j give those of F1. The interval of their mean is put together from
theirs and from how figures of classes vary together: G. Zou and A. Donner, Statistics in Medicine
27 (2008). None of these collapses to a point where all documents are right, as a bootstrap does,
and the cost depends on the cells of the confusion matrix, not on the documents.

Near-duplicates tell less than as many different documents. Where documents come in groups, each
figure counts as resting on fewer: their number over the design effect of J. Rao and A. Scott,
Biometrics 48 (1992).
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lexiclass.report.confusion import Confusion

Column: TypeAlias = NDArray[np.float64]

LEVEL: Final = 0.95
"""Share of test sets whose intervals hold the truth."""


class Interval(NamedTuple):
    """From where to where a figure may lie."""

    low: float
    high: float


class Intervals(NamedTuple):
    """The same for k figures: (k,) each."""

    low: Column
    high: Column


def wilson(share: ArrayLike, trials: ArrayLike) -> Intervals:
    """Intervals of k shares by Wilson's score test.

    Args:
        share: (k,) observed shares.
        trials: (k,) of how many; need not be whole, and may be 0, of which nothing is known.
    """
    observed = np.atleast_1d(np.asarray(share, dtype=np.float64))
    number = np.maximum(np.atleast_1d(np.asarray(trials, dtype=np.float64)), 1e-9)
    z = special.ndtri((1 + LEVEL) / 2)
    centre = (observed + z**2 / (2 * number)) / (1 + z**2 / number)
    reach = (z * np.sqrt(observed * (1 - observed) / number + (z / (2 * number)) ** 2)) / (
        1 + z**2 / number
    )
    # Rounding must not leave out a share of exactly 0 or 1.
    return Intervals(
        np.clip(np.minimum(centre - reach, observed), 0, 1),
        np.clip(np.maximum(centre + reach, observed), 0, 1),
    )


def clopper_pearson(successes: int, trials: int) -> Interval:
    """The exact interval of a share: it holds the truth in at least 19 of 20 cases."""
    return Interval(
        lower_bound(successes, trials, (1 + LEVEL) / 2),
        1 - lower_bound(trials - successes, trials, (1 + LEVEL) / 2),
    )


def lower_bound(successes: int, trials: int, level: float = LEVEL) -> float:
    """What a share is at least, in at least ``level`` of all cases: Clopper and Pearson's."""
    if successes == 0:
        return 0.0
    return float(special.betaincinv(successes, trials - successes + 1, 1 - level))


class Shares(NamedTuple):
    """Shares of right documents among those of k kinds: (k,) each.

    Attributes:
        trials: Documents of each kind.
        hits: How many of them are right.
        intervals: Of the share; from 0 to 1 where there are none.
    """

    trials: NDArray[np.int64]
    hits: NDArray[np.int64]
    intervals: Intervals


def shares_by(
    kinds: NDArray[np.integer],
    is_right: NDArray[np.bool_],
    num_kinds: int,
    groups: NDArray[np.intp] | None = None,
) -> Shares:
    """Return the share of right documents of each kind, with Wilson's interval.

    Args:
        kinds: (n,) number of each document's kind.
        is_right: (n,) whether it is right.
        num_kinds: The k kinds.
        groups: (n,) number of its group of near-duplicates; None if all differ.
    """
    trials = np.bincount(kinds, minlength=num_kinds)
    hits = np.bincount(kinds[is_right], minlength=num_kinds)
    share = hits / np.maximum(trials, 1)
    effect = np.ones(num_kinds)
    if groups is not None:
        effect = _effects(kinds, is_right - share[kinds], groups, num_kinds)
    return Shares(trials, hits, wilson(share, trials / effect))


class ScoreIntervals(NamedTuple):
    """Figures of an evaluation with their intervals.

    Attributes:
        accuracy: Of all documents.
        macro_f1: Mean of ``f1_scores``.
        f1_scores: (k,) of each class.
    """

    accuracy: Interval
    macro_f1: Interval
    f1_scores: Intervals


def score_intervals(confusion: Confusion, groups: NDArray[np.intp] | None = None) -> ScoreIntervals:
    """Say how far accuracy and F1 scores may be from what they are on all documents.

    Args:
        confusion: Predictions against the truth.
        groups: (n,) number of each document's group of near-duplicates; None if all differ, or
            where the cells of documents are not known.
    """
    number = confusion.num_documents
    accuracy = confusion.counts[confusion.is_right].sum() / number
    jaccard = confusion.hits / confusion.involved
    trials = confusion.involved / _class_effects(confusion, jaccard, groups)
    of_f1 = wilson(jaccard, trials)
    f1_scores = Intervals(*(2 * end / (1 + end) for end in of_f1))
    effect = _design_effect(confusion, confusion.is_right - accuracy, groups)
    low, high = (float(end[0]) for end in wilson(accuracy, number / effect))
    return ScoreIntervals(
        Interval(low, high), _of_mean(confusion, f1_scores, jaccard, trials), f1_scores
    )


def _of_mean(
    confusion: Confusion, f1_scores: Intervals, jaccard: Column, trials: Column
) -> Interval:
    """Put the interval of the mean of the classes' F1 together from theirs."""
    f1 = 2 * jaccard / (1 + jaccard)
    # F1 is a concave function of the share: of few documents it is too low on average, by half of
    # its second derivative times the variance of the share.
    bias = 2 / (1 + jaccard) ** 3 * jaccard * (1 - jaccard) / trials
    half = (f1_scores.high - f1_scores.low) / 2
    mean, centre, ends = float(f1.mean()), float((f1 + bias).mean()), []
    for sign, end in ((-1, f1_scores.low), (1, f1_scores.high)):
        distance = np.maximum(np.abs(end - f1), half) / len(f1)
        ends.append(centre + sign * float(np.sqrt(_joint_variance(confusion, jaccard, distance))))
    return Interval(max(0.0, min(mean, ends[0])), min(1.0, max(mean, ends[1])))


def _joint_variance(confusion: Confusion, jaccard: Column, distance: Column) -> float:
    """Return sum of r[i, j] d[i] d[j] over classes, for the correlations r of their F1 scores.

    By the delta method: the F1 of a class varies with a sum over documents, of which each gives
    what its cell says. Classes that do not vary here, as all of their documents are right, are
    taken to be independent of the others.
    """
    slope = 2 / (1 + jaccard) ** 2 / confusion.involved
    of_true, of_predicted = _influence(confusion, jaccard)
    true, predicted, counts = confusion.true, confusion.predicted, confusion.counts
    squares = np.bincount(true, weights=counts * of_true**2, minlength=len(jaccard))
    squares += np.bincount(predicted, weights=counts * of_predicted**2, minlength=len(jaccard))
    deviation = np.sqrt(squares) * slope
    weight = np.divide(distance * slope, deviation, out=np.zeros(len(jaccard)), where=deviation > 0)
    together = weight[true] * of_true + weight[predicted] * of_predicted
    alone = distance[deviation == 0]
    return float((counts * together**2).sum() + (alone**2).sum())


def _influence(confusion: Confusion, jaccard: Column) -> tuple[Column, Column]:
    """Return (m,) what a document of each cell adds to the sums of its true and predicted class.

    Of a right document both classes are one: it counts with the first.
    """
    is_right = confusion.is_right
    of_true = is_right - jaccard[confusion.true]
    of_predicted = np.where(is_right, 0.0, -jaccard[confusion.predicted])
    return of_true, of_predicted


def _class_effects(
    confusion: Confusion, jaccard: Column, groups: NDArray[np.intp] | None
) -> Column:
    """Return (k,) the design effect of each class' share."""
    if groups is None or confusion.cell_of is None:
        return np.ones(len(jaccard))
    of_true, of_predicted = (part[confusion.cell_of] for part in _influence(confusion, jaccard))
    true, predicted = (part[confusion.cell_of] for part in (confusion.true, confusion.predicted))
    # A right document is one of its class, not two.
    wrong = true != predicted
    return _effects(
        np.concatenate((true, predicted[wrong])),
        np.concatenate((of_true, of_predicted[wrong])),
        np.concatenate((groups, groups[wrong])),
        len(jaccard),
    )


def _effects(
    kinds: NDArray[np.integer], values: Column, groups: NDArray[np.intp], num_kinds: int
) -> Column:
    """Return (k,) how many times the variance of each kind's sum of values grows by groups.

    At least what it grows if all of a group have one value (L. Kish, Survey Sampling, 1965): that
    those of the largest group happen to lie near the mean does not tell where others would.
    """
    pairs = groups.astype(np.int64) * num_kinds + kinds
    _, cluster = np.unique(pairs, return_inverse=True)
    kind_of = np.empty(cluster.max() + 1, dtype=np.intp)
    kind_of[cluster] = kinds

    def growth(added: Column) -> Column:
        sums = np.bincount(cluster, weights=added)
        clustered = np.bincount(kind_of, weights=sums**2, minlength=num_kinds)
        single = np.bincount(kinds, weights=added**2, minlength=num_kinds)
        return np.divide(clustered, single, out=np.ones(num_kinds), where=single > 0)

    return np.maximum(growth(np.ones(len(values))), growth(values))


def _design_effect(
    confusion: Confusion, of_cells: Column, groups: NDArray[np.intp] | None
) -> float:
    """The same of one sum over all documents."""
    if groups is None or confusion.cell_of is None:
        return 1.0
    values = of_cells[confusion.cell_of]
    return float(_effects(np.zeros(len(values), dtype=np.intp), values, groups, 1)[0])
