"""Figures of each class, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.confusion import Confusion
from lexiclass.report.intervals import Interval, Intervals, Shares, score_intervals, shares_by
from lexiclass.report.model import ClassFigures, Confused, Estimate
from lexiclass.report.outcomes import Outcomes

FEWEST_DOCUMENTS: Final = 10
"""Of a class in the test set. The interval of a share of fewer is half as wide as all there is."""

MAX_CONFUSIONS: Final = 2_500
"""Pairs of classes that are listed: all there can be of 50 classes."""


class Scores:
    """Accuracy, macro F1 and figures of each class, by (n,) groups of near-duplicates, if any."""

    def __init__(self, outcomes: Outcomes, groups: NDArray[np.intp] | None) -> None:
        self.confusion = outcomes.confusion()
        self._known = frozenset(outcomes.classes[: outcomes.num_known])
        self._intervals = score_intervals(self.confusion, groups)
        cell_of = self.confusion.cell_of
        assert cell_of is not None  # noqa: S101 - it is counted by document
        true, predicted = self.confusion.true[cell_of], self.confusion.predicted[cell_of]
        number = len(self.confusion.classes)
        self._recall = shares_by(true, outcomes.is_right, number, groups)
        self._precision = shares_by(predicted, outcomes.is_right, number, groups)

    @property
    def accuracy(self) -> Estimate:
        """Share of documents that are right."""
        confusion = self.confusion
        right = int(confusion.counts[confusion.is_right].sum())
        return estimate(right / confusion.num_documents, self._intervals.accuracy)

    @property
    def macro_f1(self) -> Estimate:
        """Mean of the classes' F1."""
        return estimate(float(f1_scores(self.confusion).mean()), self._intervals.macro_f1)

    def classes(self) -> list[ClassFigures]:
        """Each class that occurs or is predicted, by name."""
        f1 = f1_scores(self.confusion)
        found = []
        for number, name in enumerate(self.confusion.classes):
            too_few = bool(self._recall.trials[number] < FEWEST_DOCUMENTS)
            found.append(
                ClassFigures(
                    name=name,
                    support=int(self._recall.trials[number]),
                    predicted=int(self._precision.trials[number]),
                    hits=int(self._recall.hits[number]),
                    precision=None if too_few else _share(self._precision, number),
                    recall=None if too_few else _share(self._recall, number),
                    f1=None
                    if too_few
                    else estimate(float(f1[number]), at(self._intervals.f1_scores, number)),
                    too_few=too_few,
                    is_known=name in self._known,
                )
            )
        return found


def f1_scores(confusion: Confusion) -> NDArray[np.float64]:
    """(k,) F1 of each class that occurs or is predicted."""
    return np.asarray(2 * confusion.hits / (confusion.support + confusion.predictions))


def confusions(confusion: Confusion) -> tuple[list[Confused], int]:
    """Return the largest confusions, and how many pairs of classes are confused in all."""
    wrong = np.flatnonzero(~confusion.is_right)
    # By the classes' names where they are equally large, as the cells are.
    order = wrong[np.argsort(-confusion.counts[wrong], kind="stable")][:MAX_CONFUSIONS]
    names: Sequence[str] = confusion.classes
    cells = zip(
        confusion.true[order].tolist(),
        confusion.predicted[order].tolist(),
        confusion.counts[order].tolist(),
        strict=True,
    )
    listed = [
        Confused(true=names[true], predicted=names[predicted], num_documents=count)
        for true, predicted, count in cells
    ]
    return listed, len(wrong)


def estimate(value: float, interval: Interval) -> Estimate:
    """Put a figure and its interval together; rounding must not leave the figure out of it."""
    low, high = float(interval.low), float(interval.high)
    return Estimate(value=value, low=min(value, low), high=max(value, high))


def at(intervals: Intervals, number: int) -> Interval:
    """Return one of k intervals."""
    return Interval(float(intervals.low[number]), float(intervals.high[number]))


def _share(shares: Shares, number: int) -> Estimate | None:
    trials = int(shares.trials[number])
    if not trials:
        return None
    return estimate(int(shares.hits[number]) / trials, at(shares.intervals, number))
