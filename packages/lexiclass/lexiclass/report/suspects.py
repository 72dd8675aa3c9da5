"""Test documents whose labels look wrong, as far as the model's probabilities tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.outcomes import Outcomes


def suspected_labels(outcomes: Outcomes) -> NDArray[np.intp]:
    """Return the rows of documents that another class fits better than their label does.

    By confident learning: a document counts to the most probable class among those whose
    probability is at least the mean probability of that class over the documents that have its
    label. If that is not its label, the label is suspected; mostly it is the model that is wrong,
    where the model is not good. Source: C. Northcutt, L. Jiang, I. Chuang, Journal of Artificial
    Intelligence Research 70 (2021). Of a document's classes the five most probable ones are looked
    at.

    Returns:
        Those first whose label's probability is the furthest below that of the other class.
    """
    number = len(outcomes.classes)
    support = np.bincount(outcomes.true, minlength=number)
    sums = np.bincount(outcomes.true, weights=outcomes.of_truth, minlength=number)
    # A class that no document has cannot be the right one of any.
    threshold = np.full(number, np.inf)
    np.divide(sums, support, out=threshold, where=support > 0)
    is_confident = outcomes.probabilities >= threshold[outcomes.highest]
    first = is_confident.argmax(axis=1)
    rows = np.arange(len(outcomes))
    fits_better = is_confident.any(axis=1) & (outcomes.highest[rows, first] != outcomes.true)
    margin = outcomes.probabilities[rows, first] - outcomes.of_truth
    found = np.flatnonzero(fits_better & (margin > 0))
    return np.asarray(found[np.argsort(-margin[found], kind="stable")])
