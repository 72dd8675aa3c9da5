"""Calibrators of models that earlier versions trained; nothing fits them any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from lexiclass.calibration.base import Calibrator, Matrix
from lexiclass.calibration.evidence import log_frequencies
from lexiclass.calibration.temperature import Temperature

_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, eq=False)
class Sigmoid(Calibrator):
    """One sigmoid per class on its own score, scaled to sum to 1, then tempered.

    Attributes:
        slopes: (k,) factor of each class.
        offsets: (k,) offset of each class.
        temperature: What the logarithms of the sigmoids are divided by.
    """

    method: ClassVar[str] = "sigmoid"
    slopes: Matrix
    offsets: Matrix
    temperature: float

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Sigmoid:
        """Restore what :meth:`state` returned; a ValueError tells of numbers out of range."""
        slopes = np.array(state["slopes"], dtype=np.float64)
        offsets = np.array(state["offsets"], dtype=np.float64)
        finite = np.isfinite([*slopes.ravel(), *offsets.ravel()]).all()
        # Those of single classes may have fallen by chance, in few documents; all of them have not.
        if not (finite and (slopes > 0).any()):
            raise ValueError("numbers out of range")
        return cls(slopes, offsets, Temperature.from_state(state).temperature)

    def _probabilities(self, scores: Matrix) -> Matrix:
        # Scaled in logarithms: all sigmoids of a row can be too small for a float.
        logs = special.log_expit(scores * self.slopes + self.offsets)
        return Temperature(self.temperature)(logs)


@dataclass(frozen=True, slots=True)
class FlooredTemperature(Calibrator):
    """``(1 - noise) * softmax(scores / temperature) + noise / k``; keeps the order of classes."""

    method: ClassVar[str] = "floored_temperature"
    temperature: float
    noise: float

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FlooredTemperature:
        """Restore what :meth:`state` returned; a ValueError tells of numbers out of range."""
        found = cls(float(state["temperature"]), float(state["noise"]))
        if not (0 < found.temperature < np.inf and 0 <= found.noise <= 1):
            raise ValueError("numbers out of range")
        return found

    def _probabilities(self, scores: Matrix) -> Matrix:
        plain = special.softmax(np.asarray(scores) / self.temperature, axis=1)
        return np.asarray((1 - self.noise) * plain + self.noise / plain.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeighedByEvidence(Calibrator):
    """Goes from the classes' frequencies to a calibrator's probabilities as evidence grows.

    With less than enough evidence logarithms are mixed,
    ``(1 - w) ln(frequency) + w ln(probability) + 4 w (1 - w) shift``, or logits where each class is
    by itself. With ``r = (evidence / enough) ** steepness`` the weight ``w`` is
    ``r (1 + half) / (r + half)``: the equation of A. V. Hill, 1910, scaled.

    Attributes:
        calibrator: What is right for documents of usual length.
        frequencies: (k,) share of the training documents with each class.
        enough: Evidence from which on the calibrator alone speaks.
        log_half: Logarithm of the half.
        log_steepness: Logarithm of the steepness.
        shifts: (k,) what is added to each class where little is known.
        multi_label: Whether each probability is for its class alone.
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
    def from_state(
        cls, state: Mapping[str, Any], calibrator: Calibrator, *, multi_label: bool
    ) -> WeighedByEvidence:
        """Restore what :meth:`state` returned; the number of classes is the caller's to check.

        Raises:
            ValueError: If the numbers are out of range, or do not fit together.
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
        inside &= found.shifts.shape == found.frequencies.shape
        if not (inside and np.isfinite([*curve, *found.shifts.ravel()]).all() and curve[0] > 0):
            raise ValueError("numbers out of range")
        return found

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return (n, k) probabilities."""
        probabilities = self._probabilities(scores)
        if evidence is None or (evidence >= self.enough).all():
            return probabilities
        scarce = evidence < self.enough
        probabilities[scarce] = self._mixed(
            probabilities[scarce], self._weight(evidence[scarce] / self.enough)
        )
        return probabilities

    def _probabilities(self, scores: Matrix) -> Matrix:
        return self.calibrator(scores)

    def _weight(self, share: Matrix) -> Matrix:
        half, steepness = np.exp(self.log_half), np.exp(self.log_steepness)
        logs = np.log(np.maximum(share, _SMALLEST))
        risen = np.where(share > 0, np.exp(steepness * logs), 0.0)
        return np.asarray(risen * (1 + half) / (risen + half))

    def _mixed(self, probabilities: Matrix, weight: Matrix) -> Matrix:
        logs, frequencies = (
            log_frequencies(numbers, multi_label=self.multi_label)
            for numbers in (probabilities, self.frequencies)
        )
        weight = weight[:, np.newaxis]
        mixed = (1 - weight) * frequencies + weight * logs + 4 * weight * (1 - weight) * self.shifts
        if self.multi_label:
            return np.asarray(special.expit(mixed))
        return np.asarray(special.softmax(mixed, axis=1))
