"""Probabilities that know how much they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy
from scipy import special

from lexiclass.calibration.calibrator import Calibrator, Codes, Matrix

# The tenth of the documents with the least evidence is what evidence may be scarce in: above it,
# scores are believed as they are. Taking the twentieth or the quarter instead changed nothing that
# could be told from chance.
_ENOUGH_QUANTILE = 0.1

# Standard deviations of the normal priors: of the logarithms of the curve's half and steepness, and
# of what is added to a class's logarithm.
_HALF_SPREAD = 2.0
_STEEPNESS_SPREAD = 1.0
_SHIFT_SPREAD = 1.0

_TOLERANCE = 1e-6
_MOST_STEPS = 200
_SMALLEST = np.finfo(np.float64).tiny


class Shortened(NamedTuple):
    """Documents that were not trained on, whole and cut short.

    Attributes:
        scores: (n, k) scores.
        evidence: (n,) what they rest on.
        codes: (n,) column of the true class.
    """

    scores: Matrix
    evidence: Matrix
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeighedByEvidence:
    """Goes from the classes' frequencies to a calibrator's probabilities as evidence grows.

    A row of scores does not tell whether it rests on one word or on a page. Where a document has as
    much evidence as nine tenths of the documents have, this is the calibrator; with none, it is how
    frequent the classes were in training; between, logarithms are mixed,
    ``(1 - w) ln(frequency) + w ln(probability) + 4 w (1 - w) shift``, by a weight ``w`` that rises
    with evidence as the Hill equation does, with a half and a steepness that suit documents cut to
    their first words best. The shift of a class says how often it is the answer when little is
    known, which need not be how frequent it is: documents of one class may begin with names.

    Attributes:
        calibrator: What is right for documents of usual length.
        frequencies: (k,) share of the training documents with each class.
        enough: Evidence from which on the calibrator alone speaks.
        log_half: Logarithm of where the curve bends, relative to ``enough``.
        log_steepness: Logarithm of the exponent of the evidence.
        shifts: (k,) see above.
        multi_label: Whether each probability is for its class alone, and logits are mixed.
    """

    method: ClassVar[str] = "weighed_by_evidence"
    calibrator: Calibrator
    frequencies: Matrix
    shifts: Matrix
    enough: float = 1.0
    log_half: float = 0.0
    log_steepness: float = 0.0
    multi_label: bool = False

    @classmethod
    def fit(
        cls, calibrator: Calibrator, frequencies: Matrix, whole: Matrix, shortened: Shortened | None
    ) -> WeighedByEvidence:
        """Find the most probable curve and shifts, given the priors.

        Args:
            calibrator: Fitted on whole documents.
            frequencies: (k,) share of the training documents with each class; above 0.
            whole: (n,) evidence of whole documents that were not trained on.
            shortened: The same, whole and cut short; ``None`` leaves the curve where it starts.
        """
        start = cls(
            calibrator=calibrator, frequencies=frequencies, shifts=np.zeros(len(frequencies))
        )
        # Embeddings do not tell how much they rest on: it is without a bound, unless it is nothing.
        if shortened is None or not len(whole) or not np.isfinite(whole).all():
            return start
        enough = max(1.0, float(np.quantile(whole, _ENOUGH_QUANTILE)))
        scarce = shortened.evidence < enough
        logs = np.log(np.maximum(calibrator(shortened.scores[scarce]), _SMALLEST))
        objective = _Objective(
            share=shortened.evidence[scarce] / enough,
            frequencies=np.log(frequencies),
            differences=logs - np.log(frequencies),
            codes=shortened.codes[scarce],
        )
        best = scipy.optimize.minimize(
            objective,
            np.zeros(2 + len(frequencies)),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_STEPS, "ftol": _TOLERANCE},
        ).x
        return cls(
            calibrator=calibrator,
            frequencies=frequencies,
            shifts=best[2:],
            enough=enough,
            log_half=float(best[0]),
            log_steepness=float(best[1]),
        )

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], calibrator: Calibrator, *, multi_label: bool
    ) -> WeighedByEvidence:
        """Restore what :meth:`state` returned; shapes are the caller's to check.

        Raises:
            ValueError: If the numbers are out of range.
        """
        found = cls(
            calibrator=calibrator,
            frequencies=np.array(state["frequencies"], dtype=np.float64),
            shifts=np.array(state["shifts"], dtype=np.float64),
            enough=float(state["enough"]),
            log_half=float(state["log_half"]),
            log_steepness=float(state["log_steepness"]),
            multi_label=multi_label,
        )
        curve = [found.enough, found.log_half, found.log_steepness]
        inside = (found.frequencies > 0).all() and (found.frequencies <= 1).all()
        if not (inside and np.isfinite([*curve, *found.shifts.ravel()]).all() and curve[0] > 0):
            raise ValueError("numbers out of range")
        return found

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return (n, k) probabilities."""
        probabilities = self.calibrator(scores)
        if evidence is None or (evidence >= self.enough).all():
            return probabilities
        scarce = evidence < self.enough
        probabilities[scarce] = self._mixed(
            probabilities[scarce], _weight(evidence[scarce] / self.enough, *self._curve)[0]
        )
        return probabilities

    def state(self) -> dict[str, Any]:
        """Return all numbers, and the calibrator's state."""
        return {
            "method": self.method,
            "calibrator": self.calibrator.state(),
            "frequencies": self.frequencies.tolist(),
            "shifts": self.shifts.tolist(),
            "enough": self.enough,
            "log_half": self.log_half,
            "log_steepness": self.log_steepness,
        }

    @property
    def _curve(self) -> tuple[float, float]:
        return self.log_half, self.log_steepness

    def _mixed(self, probabilities: Matrix, weight: Matrix) -> Matrix:
        logs, frequencies = _logs(probabilities), _logs(self.frequencies)
        if self.multi_label:
            logs, frequencies = (
                logs - _logs(1 - probabilities),
                frequencies - _logs(1 - self.frequencies),
            )
        weight = weight[:, np.newaxis]
        mixed = (1 - weight) * frequencies + weight * logs + 4 * weight * (1 - weight) * self.shifts
        if self.multi_label:
            return np.asarray(special.expit(mixed))
        return np.asarray(special.softmax(mixed, axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Objective:
    """What is minimised: minus the logarithm of the posterior, and its gradient.

    Attributes:
        share: (n,) evidence, as a share of what is enough.
        frequencies: (k,) logarithms.
        differences: (n, k) logarithms of probabilities, less those of the frequencies.
        codes: (n,) true classes.
    """

    share: Matrix
    frequencies: Matrix
    differences: Matrix
    codes: Codes

    def __call__(self, parameters: Matrix) -> tuple[float, Matrix]:
        log_half, log_steepness = parameters[:2]
        shifts = parameters[2:]
        weight, by_half, by_steepness = _weight(self.share, log_half, log_steepness)
        bump = 4 * weight * (1 - weight)
        places = np.arange(len(self.codes)), self.codes
        logs = special.log_softmax(
            self.frequencies
            + weight[:, np.newaxis] * self.differences
            + bump[:, np.newaxis] * shifts,
            axis=1,
        )
        errors = np.exp(logs)
        errors[places] -= 1
        by_weight = (errors * self.differences).sum(axis=1)
        by_weight += 4 * (1 - 2 * weight) * (errors * shifts).sum(axis=1)
        value = 0.5 * (
            (log_half / _HALF_SPREAD) ** 2
            + (log_steepness / _STEEPNESS_SPREAD) ** 2
            + np.square(shifts / _SHIFT_SPREAD).sum()
        )
        curve = [
            (by_weight * by_half).sum() + log_half / _HALF_SPREAD**2,
            (by_weight * by_steepness).sum() + log_steepness / _STEEPNESS_SPREAD**2,
        ]
        by_shift = (errors * bump[:, np.newaxis]).sum(axis=0) + shifts / _SHIFT_SPREAD**2
        return float(value - logs[places].sum()), np.concatenate((curve, by_shift))


def _weight(share: Matrix, log_half: float, log_steepness: float) -> tuple[Matrix, Matrix, Matrix]:
    """Return a weight that is 0 without evidence and 1 with enough, and its derivatives.

    With ``r = share ** steepness`` it is ``r (1 + half) / (r + half)``: the equation of A. V. Hill,
    1910, scaled.

    Args:
        share: (n,) evidence, as a share of what is enough; at most 1.
        log_half: Logarithm of the half.
        log_steepness: Logarithm of the steepness.

    Returns:
        (n,) weights, and what they change by with each of the two logarithms.
    """
    half, steepness = np.exp(log_half), np.exp(log_steepness)
    logs = np.log(np.maximum(share, _SMALLEST))
    risen = np.where(share > 0, np.exp(steepness * logs), 0.0)
    below = risen + half
    by_risen = (1 + half) * half / below**2
    return (
        risen * (1 + half) / below,
        half * risen * (risen - 1) / below**2,
        by_risen * risen * steepness * logs,
    )


def _logs(numbers: Matrix) -> Matrix:
    return np.asarray(np.log(np.maximum(numbers, _SMALLEST)))
