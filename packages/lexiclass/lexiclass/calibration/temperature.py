"""One temperature for all classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from scipy import special

from lexiclass.calibration.base import Calibrator, Codes, Matrix

# A normal prior on the logarithm of the temperature, centred on 1 with this standard deviation.
# It counts as much as a few documents: it decides where there are none and vanishes with many.
_LOG_SPREAD = 1.0

# Bounds of the same logarithm: beyond them probabilities are uniform or one-hot for any score.
_LOG_BOUNDS = (-7.0, 7.0)


@dataclass(frozen=True, slots=True)
class Temperature(Calibrator):
    """Softmax of scores divided by one temperature; keeps the order of classes.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017.
    """

    method: ClassVar[str] = "temperature"
    temperature: float = 1.0

    @classmethod
    def fit(cls, scores: Matrix, codes: Codes, weights: Matrix | None = None) -> Temperature:
        """Find the temperature that makes the true classes most probable, given the prior.

        Args:
            scores: (n, k) scores of documents that were not trained on; n may be 0.
            codes: (n,) column of the true class.
            weights: (n,) what each document counts; 1 if not given.
        """
        weights = np.ones(len(codes)) if weights is None else weights

        def loss(log_temperature: float) -> float:
            prior = 0.5 * (log_temperature / _LOG_SPREAD) ** 2
            log_probabilities = special.log_softmax(scores * np.exp(-log_temperature), axis=1)
            of_truth = log_probabilities[np.arange(len(codes)), codes]
            return prior - float((weights * of_truth).sum())

        best = scipy.optimize.minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded")
        return cls(float(np.exp(best.x)))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Temperature:
        """Restore what :meth:`state` returned; a ValueError tells of numbers out of range."""
        found = cls(float(state["temperature"]))
        if not 0 < found.temperature < np.inf:
            raise ValueError("temperature out of range")
        return found

    def _probabilities(self, scores: Matrix) -> Matrix:
        return np.asarray(special.softmax(scores / self.temperature, axis=1))
