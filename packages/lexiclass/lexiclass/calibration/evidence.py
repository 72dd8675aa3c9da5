"""Probabilities that know how much they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from lexiclass.calibration.base import Calibrator, Matrix

_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixedByEvidence(Calibrator):
    """Goes from the classes' frequencies to a calibrator's probabilities as evidence grows.

    A row of scores does not tell whether it rests on one word or on a page. From the last knot on
    this is the calibrator; without evidence it is how frequent the classes were in training. At
    each knot below, probabilities are

    ``(1 - share) softmax((1 - weight) ln(frequency) + weight ln(probability) + shift)
    + share frequency``

    and between two knots weights are interpolated geometrically, shifts and shares linearly, in the
    logarithm of the evidence. A weight below 1 makes all confidences smaller, the share the high
    ones alone: one word can be sure to a classifier that has seen it three times, and is wrong a
    time of four. The shift of a class says how often it is the answer when little is known, which
    need not be how frequent it is: documents of one class may begin with names.

    Where a document can have any number of classes, each is for itself: the odds of having it
    stand for the probabilities of all, and the logistic function for the softmax.

    Attributes:
        calibrator: What is right for documents of usual length.
        frequencies: (k,) share of the training documents with each class, above 0.
        unknown: (k,) the same, of those too that there was nothing to learn from, as documents
            without a token; None where there were none.
        knots: (j + 1,) evidence, 1 or more and rising.
        weights: (j,) above 0; at the last knot the weight is 1.
        shifts: (j, k); at the last knot 0.
        shares: (j,) from 0 to 1; at the last knot 0.
        multi_label: Whether each probability is for its class alone.
    """

    method: ClassVar[str] = "mixed_by_evidence"
    calibrator: Calibrator
    frequencies: Matrix
    knots: Matrix
    weights: Matrix
    shifts: Matrix
    shares: Matrix
    multi_label: bool = False
    unknown: Matrix | None = None

    @classmethod
    def without_curve(
        cls,
        calibrator: Calibrator,
        frequencies: Matrix,
        *,
        multi_label: bool,
        unknown: Matrix | None = None,
    ) -> MixedByEvidence:
        """Return one that knows of no evidence what it means, but of its lack."""
        return cls(
            calibrator=calibrator,
            frequencies=frequencies,
            knots=np.ones(1),
            weights=np.empty(0),
            shifts=np.empty((0, len(frequencies))),
            shares=np.empty(0),
            multi_label=multi_label,
            unknown=unknown,
        )

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], calibrator: Calibrator, *, multi_label: bool
    ) -> MixedByEvidence:
        """Restore what :meth:`state` returned; the number of classes is the caller's to check.

        Raises:
            ValueError: If the numbers are out of range, or do not fit together.
        """
        numbers = {
            name: np.array(state[name], dtype=np.float64)
            for name in ("frequencies", "knots", "weights", "shifts", "shares", "unknown")
            if name in state or name != "unknown"
        }
        num_weights, num_classes = numbers["weights"].size, numbers["frequencies"].size
        shapes = {
            "frequencies": (num_classes,),
            "knots": (num_weights + 1,),
            "weights": (num_weights,),
            "shifts": (num_weights, num_classes),
            "shares": (num_weights,),
            "unknown": (num_classes,),
        }
        # Of no knot at all JSON does not say how many classes there are.
        numbers["shifts"] = numbers["shifts"].reshape(shapes["shifts"])
        if any(array.shape != shapes[name] for name, array in numbers.items()):
            raise ValueError("numbers that do not fit together")
        found = cls(calibrator=calibrator, multi_label=multi_label, **numbers)
        inside = (
            all(np.isfinite(array).all() for array in numbers.values())
            and all(
                ((each > 0) & (each <= 1)).all() for each in (found.frequencies, found._of_nothing)
            )
            and found.knots[0] >= 1
            and (np.diff(found.knots) > 0).all()
            and (found.weights > 0).all()
            and ((found.shares >= 0) & (found.shares <= 1)).all()
        )
        if not inside:
            raise ValueError("numbers out of range")
        return found

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return (n, k) probabilities."""
        probabilities = self._probabilities(scores)
        if evidence is None:
            return probabilities
        scarce = evidence < self.knots[-1]
        if scarce.any():
            probabilities[scarce] = self._mixed(probabilities[scarce], evidence[scarce])
        return probabilities

    def _probabilities(self, scores: Matrix) -> Matrix:
        return self.calibrator(scores)

    def _mixed(self, probabilities: Matrix, evidence: Matrix) -> Matrix:
        near = nearness(evidence, self.knots)
        logs = log_frequencies(self.frequencies, multi_label=self.multi_label)
        z = log_ratios(probabilities, self.frequencies, multi_label=self.multi_label)
        z *= np.exp(near @ np.log(self.weights))[:, np.newaxis]
        z += logs + near @ self.shifts
        mixed = special.expit(z) if self.multi_label else special.softmax(z, axis=1)
        share = (near @ self.shares)[:, np.newaxis]
        mixed = (1 - share) * mixed + share * self.frequencies
        mixed[evidence == 0] = self._of_nothing
        return np.asarray(mixed)

    @property
    def _of_nothing(self) -> Matrix:
        return self.frequencies if self.unknown is None else self.unknown


def nearness(evidence: Matrix, knots: Matrix) -> Matrix:
    """Return what each knot but the last counts where there is some evidence.

    Args:
        evidence: (n,) amounts, at most the last knot; below the first they count as it.
        knots: (j + 1,) amounts, rising.

    Returns:
        (n, j) weights of linear interpolation in logarithms; what lacks to 1 is the last knot's.
    """
    if len(knots) == 1:
        return np.zeros((len(evidence), 0))
    places = np.log(knots)
    at = np.clip(np.log(np.maximum(evidence, knots[0])), places[0], places[-1])
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(knots) - 2)
    right_counts = (at - places[left]) / np.diff(places)[left]
    near = np.zeros((len(evidence), len(knots)))
    rows = np.arange(len(evidence))
    near[rows, left], near[rows, left + 1] = 1 - right_counts, right_counts
    return near[:, :-1]


def log_frequencies(frequencies: Matrix, *, multi_label: bool) -> Matrix:
    """Return the logarithms that are mixed, of the frequencies: logits where ``multi_label``."""
    logs = _logs_of(frequencies)
    return logs - _logs_of(1 - frequencies) if multi_label else logs


def log_ratios(probabilities: Matrix, frequencies: Matrix, *, multi_label: bool) -> Matrix:
    """Return (n, k) how much more probable classes are than frequent, in such logarithms."""
    logs = log_frequencies(probabilities, multi_label=multi_label)
    return logs - log_frequencies(frequencies, multi_label=multi_label)


def _logs_of(numbers: Matrix) -> Matrix:
    """Return logarithms, those of 0 as that of the smallest number above it."""
    return np.asarray(np.log(np.maximum(numbers, _SMALLEST)))
