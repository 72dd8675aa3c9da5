"""Calibrated probabilities where a document can have any number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration.base import Calibrator, Matrix
from lexiclass.calibration.platt import fit_sigmoid, smoothed_targets

# How much the sigmoid of a class may differ from the shared one, as standard deviations of normal
# priors, before its own documents have to say so: of the logarithm of the slope, and of the offset.
_CLASS_SLOPE_SPREAD = 0.5
_CLASS_OFFSET_SPREAD = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class LabelSigmoids(Calibrator):
    """A sigmoid per class on its own score; rows need not sum to 1.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. Each is drawn to
    one that is fitted on all classes together, as in
    :class:`~lexiclass.calibration.pooled.PooledSigmoids`.

    Attributes:
        slopes: (k,) factor of each class.
        offsets: (k,) offset of each class.
    """

    method: ClassVar[str] = "label_sigmoids"
    slopes: Matrix
    offsets: Matrix

    @classmethod
    def fit(
        cls, scores: Matrix, members: NDArray[np.bool_], weights: Matrix | None = None
    ) -> LabelSigmoids:
        """Fit the shared sigmoid, and then that of each class.

        Args:
            scores: (n, k) scores of documents that were not trained on, NaN where there is none.
            members: (n, k) whether a document has a class.
            weights: (n,) what each document counts; 1 if not given.
        """
        weights = np.ones(len(scores)) if weights is None else weights
        scored = ~np.isnan(scores)
        of_cells = np.broadcast_to(weights[:, np.newaxis], scores.shape)
        shared = fit_sigmoid(scores[scored], members[scored], of_cells[scored])
        # Higher scores that are less probable are chance, in few documents.
        shared = shared if shared[0] > 0 else (1.0, 0.0)
        fitted = [
            _fit_near(shared, column[known], member[known], weights[known])
            for column, member, known in zip(scores.T, members.T, scored.T, strict=True)
        ]
        slopes, offsets = np.array(fitted).T
        return cls(slopes, offsets)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LabelSigmoids:
        """Restore what :meth:`state` returned; a ValueError tells of numbers out of range."""
        slopes = np.array(state["slopes"], dtype=np.float64)
        offsets = np.array(state["offsets"], dtype=np.float64)
        if not (np.isfinite([*slopes.ravel(), *offsets.ravel()]).all() and (slopes > 0).all()):
            raise ValueError("numbers out of range")
        return cls(slopes, offsets)

    def _probabilities(self, scores: Matrix) -> Matrix:
        return np.asarray(special.expit(scores * self.slopes + self.offsets))


def _fit_near(
    shared: tuple[float, float], scores: Matrix, members: NDArray[np.bool_], weights: Matrix
) -> tuple[float, float]:
    """Fit a sigmoid that stays near another one unless its documents say otherwise."""
    high, low = smoothed_targets(members, weights)
    targets = np.where(members, high, low)

    def loss(own: Matrix) -> tuple[float, Matrix]:
        slope = shared[0] * np.exp(own[0])
        z = slope * scores + shared[1] + own[1]
        value = float((weights * (np.logaddexp(0, z) - targets * z)).sum())
        error = weights * (special.expit(z) - targets)
        spreads = np.array([_CLASS_SLOPE_SPREAD, _CLASS_OFFSET_SPREAD])
        gradient = np.array([(error * scores).sum() * slope, error.sum()]) + own / spreads**2
        return value + 0.5 * float(np.square(own / spreads).sum()), gradient

    own = scipy.optimize.minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    return shared[0] * float(np.exp(own[0])), shared[1] + float(own[1])
