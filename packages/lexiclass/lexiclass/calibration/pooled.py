"""A sigmoid per class, each drawn to what all classes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy
from scipy import special

from lexiclass.calibration.base import Calibrator, Codes, Matrix
from lexiclass.calibration.temperature import Temperature

# Standard deviations of the normal priors. Those of a class are by how much its sigmoid may differ
# from the shared one before its own documents have to say so. On eight public sets, subsampled to
# 100 labels and more, values from half to twice as large moved log loss by 0.01 at most. Margins of
# a machine of a kind are alike: on six sets of 8 documents a class to 100 labels, a slope near 4
# came closer to the accuracy, by 0.005 to 0.007 for the worst set, than one that is free to be 8.
_SLOPE_SPREAD = 0.5
_SOFTMAX_SLOPE_SPREAD = 1.0
_POWER_SPREAD = 1.0
_OFFSET_SPREAD = 2.0
_CLASS_SLOPE_SPREAD = 0.2
_CLASS_OFFSET_SPREAD = 0.7

#: Slope of margins of about 1, as of support vector machines, before any document is seen.
MARGIN_SLOPE = 4.0

# The same of two classes, whose margins are one margin twice: with 8 documents of each, confidences
# on four sets were .02 nearer the accuracy, and log loss lower on all; with 100 on none higher.
_MARGIN_SLOPE_OF_A_PAIR = 2.0

_SMALLEST = np.finfo(np.float64).tiny
_LARGEST_LOGIT = 40.0

# Cells of the score matrix that are looked at together: arrays of 64 KB, which a processor's cache
# holds, and for which no memory is asked of the system each time.
_BLOCK_CELLS = 2**13

# The logarithm of the likelihood is found to this share of itself: hundredths in a thousand.
_TOLERANCE = 1e-6
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class PooledSigmoids(Calibrator):
    """``softmax(power * ln(expit(slopes * scores + offsets)))``.

    Sigmoids per class and their scaling to a sum of 1 are those of J. Platt, "Probabilistic Outputs
    for Support Vector Machines", 1999, and B. Zadrozny, C. Elkan, "Transforming Classifier Scores
    into Accurate Multiclass Probability Estimates", KDD 2002. Here all are fitted together, for the
    likelihood of the scaled result, with a power that takes back the caution of sigmoids which do
    not know of each other. As in the vector scaling of C. Guo et al., ICML 2017, and the penalised
    Dirichlet calibration of M. Kull et al., NeurIPS 2019, each class has a slope and an offset; a
    normal prior draws them to the shared ones (partial pooling: A. Gelman, J. Hill, "Data Analysis
    Using Regression and Multilevel/Hierarchical Models", 2007). So a class with a handful of
    documents is calibrated nearly as the others are, one with hundreds by its own, without a
    number at which that would change.

    Attributes:
        slopes: (k,) factor of each class.
        offsets: (k,) offset of each class.
        power: Exponent of the sigmoids.
        of_softmax: Whether scores are those of a softmax. What is read is then each class's logit,
            so that slopes of 1 and offsets of 0 give the softmax itself.
    """

    method: ClassVar[str] = "pooled_sigmoids"
    slopes: Matrix
    offsets: Matrix
    power: float
    of_softmax: bool = False

    @classmethod
    def fit(
        cls,
        scores: Matrix,
        codes: Codes,
        *,
        slope: float | None = None,
        weights: Matrix | None = None,
        of_softmax: bool = False,
        freedom: Matrix | None = None,
    ) -> PooledSigmoids:
        """Find the most probable parameters, given the priors.

        Args:
            scores: (n, k) scores of documents that were not trained on; n may be 0.
            codes: (n,) column of the true class.
            slope: What the shared slope is before any document is seen; that of margins of about 1
                if not given.
            weights: (n,) what each document counts; 1 if not given.
            of_softmax: See above; the slope is then 1.
            freedom: (k,) from 0 to 1, what the standard deviations of each class' own slope and
                offset are times; 1 if not given.
        """
        k = scores.shape[1]
        if slope is None:
            slope = _MARGIN_SLOPE_OF_A_PAIR if k == 2 else MARGIN_SLOPE
        if of_softmax:
            scores, slope = _logits(scores), 1.0
        weights = np.ones(len(codes)) if weights is None else weights
        spread = _SOFTMAX_SLOPE_SPREAD if of_softmax else _SLOPE_SPREAD
        freedom = np.ones(k) if freedom is None else freedom
        objective = _Objective(scores, codes, weights, freedom, float(np.log(slope)), spread)
        best = scipy.optimize.minimize(
            objective,
            np.zeros(3 + 2 * k),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_STEPS, "ftol": _TOLERANCE},
        )
        return cls(*objective.unpack(best.x), of_softmax)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PooledSigmoids:
        """Restore what :meth:`state` returned; a ValueError tells of numbers out of range."""
        found = cls(
            np.array(state["slopes"], dtype=np.float64),
            np.array(state["offsets"], dtype=np.float64),
            float(state["power"]),
            bool(state["of_softmax"]),
        )
        numbers = np.concatenate((found.slopes.ravel(), found.offsets.ravel(), [found.power]))
        if not (np.isfinite(numbers).all() and (found.slopes > 0).all() and found.power > 0):
            raise ValueError("numbers out of range")
        return found

    def tempered(
        self, scores: Matrix, codes: Codes, weights: Matrix | None = None
    ) -> PooledSigmoids:
        """Return the same decisions with confidences that hold for documents as they are.

        Sigmoids that were fitted on weighted documents say what would be probable if classes were
        as frequent as their weights make them.
        """
        found = Temperature.fit(self._logs(scores), codes, weights)
        return replace(self, power=self.power / found.temperature)

    def _probabilities(self, scores: Matrix) -> Matrix:
        return np.asarray(special.softmax(self._logs(scores), axis=1))

    def _logs(self, scores: Matrix) -> Matrix:
        scores = _logits(scores) if self.of_softmax else scores
        # In logarithms: all sigmoids of a row can be too small for a float.
        return np.asarray(self.power * special.log_expit(scores * self.slopes + self.offsets))


def _logits(scores: Matrix) -> Matrix:
    """Return the logits of the softmax of scores, within what still makes a difference."""
    logs = special.log_softmax(scores, axis=1)
    against = np.log(np.maximum(-np.expm1(logs), _SMALLEST))
    return np.asarray(np.clip(logs - against, -_LARGEST_LOGIT, _LARGEST_LOGIT))


def _log_expit(numbers: Matrix) -> Matrix:
    """Return the same as SciPy's, by what NumPy computes several of at a time."""
    return np.asarray(np.minimum(numbers, 0) - np.log1p(np.exp(-np.abs(numbers))))


@dataclass(frozen=True, slots=True, eq=False)
class _Objective:
    """What is minimised: minus the logarithm of the posterior, and its gradient.

    Its parameters are in standard deviations of their priors, so that steps of all are alike. The
    first three are shared: the logarithms of power times slope and of the power, and the offset;
    then come each class's own, which times its freedom are added to the logarithm of the slope and
    to the offset.
    """

    scores: Matrix
    codes: Codes
    weights: Matrix
    freedom: Matrix
    log_slope: float
    slope_spread: float

    def unpack(self, parameters: Matrix) -> tuple[Matrix, Matrix, float]:
        """Return (k,) slopes and offsets, and the power."""
        scale, power, offset = parameters[:3] * self._shared_spreads
        own_slopes, own_offsets = np.split(parameters[3:], 2)
        log_slopes = self.log_slope + scale - power
        return (
            np.exp(log_slopes + _CLASS_SLOPE_SPREAD * self.freedom * own_slopes),
            offset + _CLASS_OFFSET_SPREAD * self.freedom * own_offsets,
            float(np.exp(power)),
        )

    def __call__(self, parameters: Matrix) -> tuple[float, Matrix]:
        slopes, offsets, power = self.unpack(parameters)
        value = 0.5 * float(parameters @ parameters)
        by_log_slope, by_offset, by_log_power = np.zeros_like(slopes), np.zeros_like(offsets), 0.0
        step = max(1, _BLOCK_CELLS // len(slopes))
        for start in range(0, len(self.codes), step):
            rows = slice(start, start + step)
            codes, weights = self.codes[rows], self.weights[rows]
            # A class after the other: sums over classes add whole rows.
            scores = np.ascontiguousarray(self.scores[rows].T)
            logs = _log_expit(scores * slopes[:, np.newaxis] + offsets[:, np.newaxis])
            z = power * logs
            z -= z.max(axis=0)
            errors = np.exp(z)
            sums = errors.sum(axis=0)
            places = codes, np.arange(len(codes))
            value += float((weights * (np.log(sums) - z[places])).sum())
            errors /= sums
            errors[places] -= 1
            errors *= weights
            by_log_power += power * float((errors * logs).sum())
            errors *= power * -np.expm1(logs)
            by_log_slope += (errors * scores).sum(axis=1) * slopes
            by_offset += errors.sum(axis=1)
        by_scale = by_log_slope.sum()
        shared = np.array([by_scale, by_log_power - by_scale, by_offset.sum()])
        own_slopes = _CLASS_SLOPE_SPREAD * self.freedom * by_log_slope
        own_offsets = _CLASS_OFFSET_SPREAD * self.freedom * by_offset
        gradient = np.concatenate((self._shared_spreads * shared, own_slopes, own_offsets))
        return value, parameters + gradient

    @property
    def _shared_spreads(self) -> Matrix:
        return np.array([self.slope_spread, _POWER_SPREAD, _OFFSET_SPREAD])
