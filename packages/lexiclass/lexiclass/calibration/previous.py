"""Calibrators of models that earlier versions trained; nothing fits them any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from lexiclass.calibration.calibrator import Matrix
from lexiclass.calibration.temperature import Temperature


@dataclass(frozen=True, slots=True, eq=False)
class Sigmoid:
    """One sigmoid per class on its own score, scaled to sum to 1, then tempered.

    Attributes:
        slopes: (k,) factor of each class.
        offsets: (k,) offset of each class.
        temper: Temperature of the logarithms of the sigmoids.
    """

    method: ClassVar[str] = "sigmoid"
    slopes: Matrix
    offsets: Matrix
    temper: Temperature

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Sigmoid:
        """Restore what :meth:`state` returned; shapes are the caller's to check.

        Raises:
            ValueError: If a number is out of range.
        """
        slopes = np.array(state["slopes"], dtype=np.float64)
        offsets = np.array(state["offsets"], dtype=np.float64)
        finite = np.isfinite([*slopes.ravel(), *offsets.ravel()]).all()
        # Those of single classes may have fallen by chance, in few documents; all of them have not.
        if not (finite and (slopes > 0).any()):
            raise ValueError("numbers out of range")
        return cls(slopes, offsets, Temperature.from_state(state))

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return (n, k) probabilities; the evidence has no say."""
        del evidence
        # Scaled in logarithms: all sigmoids of a row can be too small for a float.
        return self.temper(special.log_expit(scores * self.slopes + self.offsets))

    def state(self) -> dict[str, Any]:
        """Return the method, slopes, offsets and temperature."""
        return {
            **self.temper.state(),
            "method": self.method,
            "slopes": self.slopes.tolist(),
            "offsets": self.offsets.tolist(),
        }


@dataclass(frozen=True, slots=True)
class FlooredTemperature:
    """``(1 - noise) * softmax(scores / temperature) + noise / k``; keeps the order of classes.

    Attributes:
        temperature: What scores are divided by.
        noise: Share of documents whose class has nothing to do with their scores.
    """

    method: ClassVar[str] = "floored_temperature"
    temperature: float
    noise: float

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FlooredTemperature:
        """Restore what :meth:`state` returned.

        Raises:
            ValueError: If the numbers are out of range.
        """
        found = cls(float(state["temperature"]), float(state["noise"]))
        if not (0 < found.temperature < np.inf and 0 <= found.noise <= 1):
            raise ValueError("numbers out of range")
        return found

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return (n, k) probabilities; the evidence has no say."""
        del evidence
        plain = special.softmax(np.asarray(scores) / self.temperature, axis=1)
        return np.asarray((1 - self.noise) * plain + self.noise / plain.shape[1])

    def state(self) -> dict[str, Any]:
        """Return the method, temperature and noise."""
        return {"method": self.method, "temperature": self.temperature, "noise": self.noise}
