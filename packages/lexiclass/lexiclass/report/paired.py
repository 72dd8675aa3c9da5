"""Whether one of two models is better, by the same test documents.

A difference has its interval first; a p-value says how probable one as large is if both are as
good. Accuracies: the interval of D. Bonett and R. Price, Journal of Educational and Behavioral
Statistics 37 (2012), and the exact test of Q. McNemar, Psychometrika 12 (1947). F1 scores: the
delta method, and a permutation test, which swaps the predictions of documents between the models:
A. Yeh, COLING 2000. Its cost depends on the cells, not on the documents.

Tests take a group of near-duplicates as a whole; intervals are those of so many fewer documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from lexiclass.report.copies import swapped_p_value
from lexiclass.report.intervals import LEVEL, Interval
from lexiclass.report.paired_confusion import PairedConfusion, f1_scores

Column: TypeAlias = NDArray[np.float64]

PERMUTATIONS: Final = 5_000
"""Of which a p-value of .05 is known to within .006 (twice its standard error)."""

POWER: Final = 0.8
"""Probability that a difference which is there is found, with the documents asked for."""

# How many standard errors an interval reaches.
_REACH: Final = float(special.ndtri((1 + LEVEL) / 2))

_CHUNK_CELLS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of the second model minus that of the first.

    Attributes:
        value: What it is on these documents.
        interval: Where it may lie on all.
        p_value: How probable one as large is if both models are as good.
    """

    value: float
    interval: Interval
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The second model against the first.

    Attributes:
        accuracy: Of all documents.
        macro_f1: Of the mean over classes.
        f1_scores: (k,) of each class; the p-values are those of Holm over classes.
    """

    accuracy: Difference
    macro_f1: Difference
    f1_scores: Sequence[Difference]


def compare(paired: PairedConfusion, *, seed: int = 0) -> Differences:
    """Hold the second model against the first."""
    f1 = paired.f1_of(paired.second) - paired.f1_of(paired.first)
    observed = np.append(f1, f1.mean())
    exceeded = np.ones(len(observed))
    for drawn in _permuted_differences(paired, np.random.default_rng(seed)):
        drawn_all = np.column_stack((drawn, drawn.mean(axis=1)))
        # What rounding makes of equal differences counts as equal.
        exceeded += (np.abs(drawn_all) >= np.abs(observed) - 1e-12).sum(axis=0)
    p_values = exceeded / (PERMUTATIONS + 1)
    deviations = _f1_deviations(paired)
    found = [
        Difference(
            value=float(value),
            interval=Interval(max(-1.0, value - _REACH * each), min(1.0, value + _REACH * each)),
            p_value=float(p_value),
        )
        for value, each, p_value in zip(
            observed, deviations, np.append(holm(p_values[:-1]), p_values[-1]), strict=True
        )
    ]
    return Differences(
        accuracy=paired_accuracy(paired),
        macro_f1=found[-1],
        f1_scores=found[:-1],
    )


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """Return the two-sided p-value of the exact test.

    Of the documents on which two models differ, each is as likely to be right as the other if both
    are as good: a binomial distribution with probability 1/2.
    """
    total = only_first_right + only_second_right
    fewer = min(only_first_right, only_second_right)
    return min(1.0, 2 * float(special.bdtr(fewer, total, 0.5)))


def accuracy_difference(
    only_first_right: int, only_second_right: int, num_documents: int
) -> Difference:
    """Return the accuracy of the second model minus that of the first."""
    return Difference(
        value=(only_second_right - only_first_right) / num_documents,
        interval=_accuracy_interval(only_first_right, only_second_right, num_documents),
        p_value=mcnemar(only_first_right, only_second_right),
    )


def paired_accuracy(paired: PairedConfusion) -> Difference:
    """The same of documents that are counted, of which some may be near-duplicates."""
    counts = paired.only_first_right, paired.only_second_right, paired.num_documents
    found = accuracy_difference(*counts)
    if (clusters := paired.clusters) is None:
        return found
    more_right = _more_right(paired)
    size = clusters.mean_size
    spread = clusters.effect(more_right - found.value) / size
    net = np.rint(clusters.members @ more_right).astype(np.int64)
    return Difference(
        value=found.value,
        interval=_accuracy_interval(*(count / size for count in counts), spread=spread),
        p_value=swapped_p_value(net, clusters.counts),
    )


def _more_right(paired: PairedConfusion) -> Column:
    """Return (m,) what a document of each cell adds to what the second model has more right."""
    is_right = [own == paired.true for own in (paired.first, paired.second)]
    return np.asarray(is_right[1].astype(np.float64) - is_right[0])


def _accuracy_interval(
    only_first_right: float, only_second_right: float, num_documents: float, *, spread: float = 1.0
) -> Interval:
    """The variance is that of so many single documents, times the spread."""
    # One more document for each of the two, of which nobody knows which way they go.
    number = num_documents + 2
    first, second = (only_first_right + 1) / number, (only_second_right + 1) / number
    centre = second - first
    reach = _REACH * sqrt(spread * (first + second - centre**2) / number)
    return Interval(max(-1.0, centre - reach), min(1.0, centre + reach))


def documents_needed(
    only_first_right: int, only_second_right: int, num_documents: int
) -> int | None:
    """About how many test documents would show a difference in accuracy as large as this one.

    Source: R. Connor, Biometrics 43 (1987), with a power of :data:`POWER`.

    Returns:
        None if the accuracies are equal.
    """
    share = (only_first_right + only_second_right) / num_documents
    difference = (only_second_right - only_first_right) / num_documents
    if not difference:
        return None
    reach = _REACH * sqrt(share)
    reach += special.ndtri(POWER) * sqrt(share - difference**2)
    return ceil((reach / difference) ** 2)


def different_documents_needed(paired: PairedConfusion) -> int | None:
    """The same of documents that are counted: how many different ones, where some are copies.

    The more of what is lost or won is copies, the more are needed.
    """
    counts = paired.only_first_right, paired.only_second_right, paired.num_documents
    needed = documents_needed(*counts)
    if needed is None or (clusters := paired.clusters) is None:
        return needed
    more_right = _more_right(paired)
    growth = clusters.growth(more_right - (counts[1] - counts[0]) / counts[2])
    size = clusters.mean_size
    # What rounding makes of equally many copies of each must not ask for one more.
    return ceil(round(needed * max(size, growth) / size, 6))


def holm(p_values: Column) -> Column:
    """Adjust k p-values so that one below .05 among them is found by chance once in 20 times.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    left = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * left))
    return adjusted


def _permuted_differences(paired: PairedConfusion, random: np.random.Generator) -> Iterator[Column]:
    """Yield (draws, k) differences in F1 with predictions swapped at random between the models.

    Those of a group of near-duplicates are swapped together.
    """
    differ = paired.first != paired.second
    true, first, second = (part[differ] for part in (paired.true, paired.first, paired.second))
    counts, k = paired.counts[differ], len(paired.classes)
    # What a swapped document adds to the first model, and takes from the second.
    predicted = _membership(second, k) - _membership(first, k)
    hits = _membership(second, k, second == true) - _membership(first, k, first == true)
    if paired.clusters is not None:
        members = paired.clusters.members[:, differ]
        swaps = np.flatnonzero(np.diff(members.indptr))
        counts = paired.clusters.counts[swaps]
        predicted, hits = members[swaps] @ predicted, members[swaps] @ hits
    size = max(1, _CHUNK_CELLS // max(len(counts), k))
    for start in range(0, PERMUTATIONS, size):
        swapped = random.binomial(counts, 0.5, (min(size, PERMUTATIONS - start), len(counts)))
        moved, moved_hits = swapped @ predicted, swapped @ hits
        yield f1_scores(
            paired.hits_of(paired.second) - moved_hits,
            paired.support + paired.documents_of(paired.second) - moved,
        ) - f1_scores(
            paired.hits_of(paired.first) + moved_hits,
            paired.support + paired.documents_of(paired.first) + moved,
        )


def _membership(
    codes: NDArray[np.intp], k: int, weights: NDArray[np.bool_] | None = None
) -> sparse.csr_array:
    """Return (m, k) which class each cell counts to."""
    ones = np.ones(len(codes)) if weights is None else weights.astype(np.float64)
    return sparse.csr_array((ones, (np.arange(len(codes)), codes)), shape=(len(codes), k))


def _f1_deviations(paired: PairedConfusion) -> Column:
    """Return (k + 1,) standard errors of the differences in F1, and of their mean, last.

    By the delta method, with two more documents for each class of which nobody knows which way
    they go, as for accuracies: no difference on few documents does not mean that there is none.
    """
    k, m = len(paired.classes), len(paired.counts)
    codes, values, once = [paired.true], [np.zeros(m)], np.zeros(k)
    for sign, own in ((-1.0, paired.first), (1.0, paired.second)):
        f1 = paired.f1_of(own)
        total = paired.support + paired.documents_of(own)
        slope = np.divide(1.0, total, out=np.zeros(k), where=total > 0)
        once = np.maximum(once, slope)
        # Of 2 hits / (true + predicted): what one document more of a cell adds.
        values[0] += sign * slope[paired.true] * (2 * (own == paired.true) - f1[paired.true])
        codes.append(own)
        values.append(-sign * slope[own] * f1[own])
    # A cell's classes may be one: what it adds to a class is added up before it is squared.
    pairs = np.tile(np.arange(m), 3) * k + np.concatenate(codes)
    added, position = np.unique(pairs, return_inverse=True)
    influence = np.bincount(position, weights=np.concatenate(values))
    cell, code = np.divmod(added, k)
    of_classes: Column = np.bincount(code, paired.counts[cell] * influence**2, k).astype(np.float64)
    in_mean = np.bincount(cell, weights=influence, minlength=m) / k
    of_mean = (paired.counts * in_mean**2).sum()
    if paired.clusters is not None:
        of_cells = sparse.csr_array((influence, (cell, code)), shape=(m, k))
        effects, sizes = paired.clusters.effects(of_cells)
        # Two more are two groups.
        of_classes, once = of_classes * effects, once * sizes
        of_mean *= paired.clusters.effect(in_mean)
    variances = np.append(of_classes + 2 * once**2, of_mean + 2 * (once.mean() / k) ** 2)
    return np.asarray(np.sqrt(variances))
