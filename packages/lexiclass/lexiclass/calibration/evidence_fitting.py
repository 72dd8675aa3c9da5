"""What little evidence is worth, learned from documents cut to their first words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration.base import Calibrator, Matrix
from lexiclass.calibration.evidence import (
    MixedByEvidence,
    log_frequencies,
    log_ratios,
    nearness,
)

Number = TypeVar("Number", np.float64, np.bool_)

# The tenth of the documents with the least evidence is what evidence may be scarce in: above it,
# scores are believed as they are. Where nearly all have next to none, one word is scarce all the
# same.
_ENOUGH_QUANTILE = 0.1
_FEWEST_ENOUGH = 4.0

# From each knot to the next, until the last one is not much further.
_STEP = 2.0
_LAST_STEP = 4 / 3

# Standard deviations of the normal priors: of what the logarithm of the weight and a class's shift
# change by from a knot to the next, beyond what is expected, and of the logit of the share, whose
# mean this is.
_WEIGHT_SPREAD = 0.7
_SHIFT_SPREAD = 0.4
_SHARE_MEAN, _SHARE_SPREAD = -1.5, 1.5

# A document is there whole and cut to several lengths, which says less than as many documents.
_COUNTS = 0.4

_TOLERANCE = 1e-6
_MOST_STEPS = 200
_SMALLEST = np.finfo(np.float64).tiny


class Shortened(NamedTuple):
    """Documents that were not trained on, whole and cut short.

    Attributes:
        scores: (n, k) scores; with several classes a document single ones may be NaN.
        evidence: (n,) what they rest on.
        members: (n, k) whether a document has a class.
        weights: (n,) what each counts; 1 if not given.
    """

    scores: Matrix
    evidence: Matrix
    members: NDArray[np.bool_]
    weights: Matrix | None = None


def mix_by_evidence(
    calibrator: Calibrator,
    frequencies: Matrix,
    whole: Matrix,
    shortened: Shortened | None,
    *,
    multi_label: bool = False,
    freedom: Matrix | None = None,
    unknown: Matrix | None = None,
) -> MixedByEvidence:
    """Find the most probable weights, shifts and shares, given the priors.

    Evidence doubles from knot to knot, and what is learned at one is drawn to what is learned at
    the next: a random walk, the prior by which P. Eilers and B. Marx, "Flexible Smoothing with
    B-splines and Penalties", Statistical Science 11(2), 1996, make curves smooth. It comes from
    where there is enough, so that few documents leave what is between as it was.

    Args:
        calibrator: Fitted on whole documents.
        frequencies: (k,) share of the training documents with each class; above 0.
        whole: (n,) evidence of whole documents that were not trained on.
        shortened: The same, whole and cut short; ``None`` leaves all evidence alike.
        multi_label: Whether a document can have any number of classes.
        freedom: (k,) from 0 to 1, what the standard deviation of a class' shifts is times; 1 if not
            given. See :meth:`~lexiclass.calibration.pooled.PooledSigmoids.fit`.
        unknown: See :class:`~lexiclass.calibration.evidence.MixedByEvidence`.
    """
    # Embeddings do not tell how much they rest on: it is without a bound, unless it is nothing.
    if shortened is None or not len(whole) or not np.isfinite(whole).all():
        return MixedByEvidence.without_curve(
            calibrator, frequencies, multi_label=multi_label, unknown=unknown
        )
    enough = max(_FEWEST_ENOUGH, float(np.quantile(whole, _ENOUGH_QUANTILE)))
    knots = _knots(enough)
    scarce = (shortened.evidence > 0) & (shortened.evidence < enough)
    scores = shortened.scores[scarce]
    is_known = ~np.isnan(scores)
    is_counted = is_known if multi_label else is_known.all(axis=1, keepdims=True)
    counts = np.where(is_counted, _COUNTS, 0.0)
    if shortened.weights is not None:
        counts *= shortened.weights[scarce, np.newaxis]
    objective = _Objective(
        near=nearness(shortened.evidence[scarce], knots),
        ratios=_by_class(
            log_ratios(
                calibrator(np.where(is_known, scores, 0.0)), frequencies, multi_label=multi_label
            )
        ),
        frequencies=frequencies,
        members=_by_class(shortened.members[scarce]),
        counts=_by_class(counts),
        expected=_expected(knots),
        freedom=np.ones(len(frequencies)) if freedom is None else freedom,
        multi_label=multi_label,
    )
    best = scipy.optimize.minimize(
        objective,
        np.zeros(objective.num_parameters),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_STEPS, "ftol": _TOLERANCE},
    )
    log_weights, logits, shifts = objective.unpack(best.x)
    return MixedByEvidence(
        calibrator=calibrator,
        frequencies=frequencies,
        knots=knots,
        weights=np.exp(log_weights),
        shifts=shifts,
        shares=special.expit(logits),
        multi_label=multi_label,
        unknown=unknown,
    )


def _by_class(of_documents: NDArray[Number]) -> NDArray[Number]:
    """Return (k, n) numbers of (n, k): a class after the other, so that sums over them are fast."""
    return np.ascontiguousarray(of_documents.T)


def _knots(enough: float) -> Matrix:
    found = [1.0]
    while found[-1] * _STEP * _LAST_STEP < enough:
        found.append(found[-1] * _STEP)
    return np.array([*found, enough])


def _expected(knots: Matrix) -> Matrix:
    """Return (j,) logarithms of weights that halve what is missing of enough at each knot."""
    share = knots[:-1] / knots[-1]
    return np.asarray(np.log(2 * share / (1 + share)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Objective:
    """What is minimised: minus the logarithm of the posterior, and its gradient.

    Its parameters are in standard deviations of their priors, so that steps of all are alike.

    Attributes:
        near: (n, j) what each knot counts for each document.
        ratios: (k, n) logarithms of probabilities, less those of the frequencies.
        frequencies: (k,) of the classes.
        members: (k, n) whether a document has a class.
        counts: (k, n) what each answer counts where each class is by itself, else (1, n).
        expected: (j,) logarithms of the weights before any document is seen.
        freedom: (k,) what a class' shifts are times.
        multi_label: Whether each class is by itself.
    """

    near: Matrix
    ratios: Matrix
    frequencies: Matrix
    members: NDArray[np.bool_]
    counts: Matrix
    expected: Matrix
    freedom: Matrix
    multi_label: bool

    @property
    def num_parameters(self) -> int:
        """How many are fitted: two for each knot, and one for each class there."""
        return len(self.expected) * (2 + len(self.frequencies))

    def unpack(self, parameters: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return (j,) logarithms of weights, (j,) logits of shares, and (j, k) shifts."""
        weight_steps, logits, shift_steps = self._split(parameters)
        return (
            self.expected + _WEIGHT_SPREAD * _walk(weight_steps),
            _SHARE_MEAN + _SHARE_SPREAD * logits,
            _SHIFT_SPREAD * self.freedom * _walk(shift_steps),
        )

    def _split(self, parameters: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        j = len(self.expected)
        return parameters[:j], parameters[j : 2 * j], parameters[2 * j :].reshape(j, -1)

    def __call__(self, parameters: Matrix) -> tuple[float, Matrix]:
        log_weights, logits, shifts = self.unpack(parameters)
        shares = special.expit(logits)
        weight, share = np.exp(self.near @ log_weights), self.near @ shares
        frequencies = self.frequencies[:, np.newaxis]
        z = self.ratios * weight
        z += log_frequencies(frequencies, multi_label=self.multi_label)
        z += shifts.T @ self.near.T
        found = special.expit(z) if self.multi_label else special.softmax(z, axis=0)
        of_found, of_frequencies = self._of_answers(found), self._of_answers(frequencies)
        probable = np.maximum((1 - share) * of_found + share * of_frequencies, _SMALLEST)
        found -= self.members
        found *= self.counts * (1 - share) * of_found / probable
        by_share = (self.counts * (of_found - of_frequencies) / probable).sum(axis=0)
        by_log_weight = weight * (found * self.ratios).sum(axis=0)
        value = 0.5 * float(parameters @ parameters)
        value -= float((self.counts * np.log(probable)).sum())
        gradients = (
            _WEIGHT_SPREAD * _back(self.near.T @ by_log_weight),
            _SHARE_SPREAD * shares * (1 - shares) * (self.near.T @ by_share),
            _SHIFT_SPREAD * self.freedom * _back((found @ self.near).T),
        )
        return value, parameters + np.concatenate([each.ravel() for each in gradients])

    def _of_answers(self, probabilities: Matrix) -> Matrix:
        """Return the probabilities of what is true: (k, n) of each class by itself, else (1, n)."""
        if self.multi_label:
            return np.where(self.members, probabilities, 1 - probabilities)
        return np.asarray((self.members * probabilities).sum(axis=0, keepdims=True))


def _walk(steps: Matrix) -> Matrix:
    """Return where steps lead that begin at 0 beyond the last of them."""
    return np.asarray(np.cumsum(steps[::-1], axis=0)[::-1])


def _back(by_place: Matrix) -> Matrix:
    """Return the gradient for the steps of a walk, of that for the places it comes to."""
    return np.asarray(np.cumsum(by_place, axis=0))
