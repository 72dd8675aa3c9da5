"""Whether confidences mean what they say, as a report has it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration.measures import expected_calibration_error
from lexiclass.report.class_figures import at, estimate
from lexiclass.report.copies import first_of_each
from lexiclass.report.intervals import Interval, shares_by
from lexiclass.report.model import Calibration, CalibrationError, ClassCalibration, Estimate
from lexiclass.report.outcomes import Column, Outcomes
from lexiclass.report.paired import holm
from lexiclass.report.reliability import (
    brier_score,
    debiased_calibration_error,
    log_loss,
    perfect_band,
    reliability_curve,
)

_FEWEST_PREDICTIONS: Final = 30
"""Different documents predicted as a class, from which on its confidences are judged."""


def calibration_of(
    outcomes: Outcomes, accuracy: Estimate, groups: NDArray[np.intp] | None
) -> Calibration:
    """Judge the confidences of n documents, by (n,) groups of near-duplicates, if any.

    Figures are of all documents, but for the debiased error: what chance makes of it is known of
    documents that differ, so it is of the first of each group.
    """
    confidence, correct = outcomes.confidence, outcomes.is_right
    rows = first_of_each(groups, len(outcomes))
    mean = float(confidence.mean())
    return Calibration(
        expected_calibration_error=CalibrationError(
            value=expected_calibration_error(confidence, correct),
            expected=perfect_band(expected_calibration_error, confidence, groups).high,
        ),
        debiased_calibration_error=CalibrationError(
            value=debiased_calibration_error(confidence[rows], correct[rows]),
            expected=perfect_band(debiased_calibration_error, confidence[rows]).high,
        ),
        over_confidence=estimate(
            mean - accuracy.value, Interval(mean - accuracy.high, mean - accuracy.low)
        ),
        brier_score=max(0.0, brier_score(outcomes.of_truth, outcomes.squares)),
        log_loss=max(0.0, log_loss(outcomes.of_truth)),
        curve=reliability_curve(confidence, correct, groups),
        classes=_by_class(outcomes, groups),
    )


def _by_class(outcomes: Outcomes, groups: NDArray[np.intp] | None) -> list[ClassCalibration]:
    number = len(outcomes.classes)
    predicted, confidence = outcomes.predicted, outcomes.confidence
    shares = shares_by(predicted, outcomes.is_right, number, groups)
    sums: Column = np.bincount(predicted, weights=confidence, minlength=number).astype(np.float64)
    mean: Column = sums / np.maximum(shares.trials, 1)
    # Judged is the first of each group; the others prove nothing that it does not.
    rows = first_of_each(groups, len(outcomes))
    judged = shares_by(predicted[rows], outcomes.is_right[rows], number)
    chosen = np.flatnonzero(judged.trials >= _FEWEST_PREDICTIONS)
    of_judged = np.bincount(predicted[rows], weights=confidence[rows], minlength=number)[chosen]
    trials = judged.trials[chosen]
    p_values = holm(_as_many_right(of_judged / trials, judged.hits[chosen], trials))
    found = [
        ClassCalibration(
            name=outcomes.classes[code],
            num_documents=int(shares.trials[code]),
            confidence=min(1.0, float(mean[code])),
            accuracy=estimate(shares.hits[code] / shares.trials[code], at(shares.intervals, code)),
            differs=p_value < 0.05,
        )
        for code, p_value in zip(chosen.tolist(), p_values.tolist(), strict=True)
    ]
    return sorted(found, key=lambda each: each.name)


def _as_many_right(
    mean: Column, hits: NDArray[np.int64], trials: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the p-values of as many right documents, if each is as probable as its confidence.

    Of documents of different probabilities as many as these are less often far from their mean than
    of documents that all have the mean one: W. Hoeffding, Annals of Mathematical Statistics 27
    (1956). So the tails of the binomial distribution are no smaller than the true ones.
    """
    share = np.clip(mean, 0.0, 1.0)
    at_most = special.bdtr(hits, trials, share)
    at_least = 1 - np.where(hits > 0, special.bdtr(np.maximum(hits - 1, 0), trials, share), 0.0)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(at_most, at_least)))
