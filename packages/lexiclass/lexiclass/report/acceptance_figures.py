"""How much can go through without a look, as a report has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.acceptance import TARGETS, certify, coverage_curve, fewest_documents
from lexiclass.report.copies import first_of_each
from lexiclass.report.model import Acceptance, AcceptanceThreshold, ClassAcceptance
from lexiclass.report.outcomes import Column, Outcomes


def acceptance_of(outcomes: Outcomes, groups: NDArray[np.intp] | None = None) -> Acceptance:
    """Find from which confidence on documents can be accepted, over all and by predicted class.

    Args:
        outcomes: Of the n documents.
        groups: (n,) number of each one's group of near-duplicates; None if all differ. Guarantees
            rest on the first of each group: the others prove nothing that it does not.
    """
    rows = first_of_each(groups, len(outcomes))
    return Acceptance(
        thresholds=_thresholds(outcomes.confidence[rows], outcomes.is_right[rows]),
        classes=_by_class(outcomes, rows),
        curve=coverage_curve(outcomes.confidence, outcomes.is_right),
    )


def _by_class(outcomes: Outcomes, rows: NDArray[np.intp]) -> list[ClassAcceptance]:
    order = rows[np.argsort(outcomes.predicted[rows], kind="stable")]
    codes, starts = np.unique(outcomes.predicted[order], return_index=True)
    fewest = min(map(fewest_documents, TARGETS))
    found = []
    for code, of_class in zip(codes.tolist(), np.split(order, starts[1:]), strict=True):
        if len(of_class) < fewest:
            continue
        thresholds = _thresholds(outcomes.confidence[of_class], outcomes.is_right[of_class])
        if any(each.threshold is not None for each in thresholds):
            found.append(ClassAcceptance(name=outcomes.classes[code], thresholds=thresholds))
    return sorted(found, key=lambda each: each.name)


def _thresholds(confidence: Column, correct: NDArray[np.bool_]) -> list[AcceptanceThreshold]:
    return [certify(confidence, correct, target) for target in TARGETS]
