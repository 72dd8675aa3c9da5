"""What little evidence is worth, learned from documents cut to their first words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
    ratios = log_ratios(
        calibrator(np.where(is_known, scores, 0.0)), frequencies, multi_label=multi_label
    )
    objective = _Objective(
        near=nearness(shortened.evidence[scarce], knots),
        ratios=ratios,
        frequencies=frequencies,
        members=shortened.members[scarce],
        counts=counts,
        expected=_expected(knots),
        freedom=np.ones(len(frequencies)) if freedom is None else freedom,
        multi_label=multi_label,
    )
    best = scipy.optimize.minimize(
        objective,
        objective.start(),
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
        shifts=shifts * objective.freedom,
        shares=special.expit(logits),
        multi_label=multi_label,
        unknown=unknown,
    )


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

    Attributes:
        near: (n, j) what each knot counts for each document.
        ratios: (n, k) logarithms of probabilities, less those of the frequencies.
        frequencies: (k,) of the classes.
        members: (n, k) whether a document has a class.
        counts: (n, k) what each answer counts where each class is by itself, else (n, 1).
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

    def start(self) -> Matrix:
        """Return the parameters before any document is seen."""
        j, k = len(self.expected), len(self.frequencies)
        return np.concatenate((self.expected, np.full(j, _SHARE_MEAN), np.zeros(j * k)))

    def unpack(self, parameters: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Return (j,) logarithms of weights, (j,) logits of shares, and (j, k) shifts."""
        j = len(self.expected)
        return parameters[:j], parameters[j : 2 * j], parameters[2 * j :].reshape(j, -1)

    def __call__(self, parameters: Matrix) -> tuple[float, Matrix]:
        log_weights, logits, shifts = self.unpack(parameters)
        shares = special.expit(logits)
        weight = np.exp(self.near @ log_weights)
        share = (self.near @ shares)[:, np.newaxis]
        z = self.ratios * weight[:, np.newaxis]
        z += log_frequencies(self.frequencies, multi_label=self.multi_label)
        z += self.near @ (shifts * self.freedom)
        found = special.expit(z) if self.multi_label else special.softmax(z, axis=1)
        of_found, of_frequencies = self._of_answers(found), self._of_answers(self.frequencies)
        probable = np.maximum((1 - share) * of_found + share * of_frequencies, _SMALLEST)
        found -= self.members
        found *= self.counts * (1 - share) * of_found / probable
        by_share = (self.counts * (of_found - of_frequencies) / probable).sum(axis=1)
        by_log_weight = weight * (found * self.ratios).sum(axis=1)
        priors = [
            _walk(log_weights - self.expected, _WEIGHT_SPREAD),
            _normal(logits - _SHARE_MEAN, _SHARE_SPREAD),
            _walk(shifts, _SHIFT_SPREAD),
        ]
        gradients = (
            self.near.T @ by_log_weight,
            shares * (1 - shares) * (self.near.T @ by_share),
            self.near.T @ found * self.freedom,
        )
        value = sum(prior for prior, _ in priors) - float((self.counts * np.log(probable)).sum())
        return value, np.concatenate(
            [
                (of_documents + of_prior).ravel()
                for of_documents, (_, of_prior) in zip(gradients, priors, strict=True)
            ]
        )

    def _of_answers(self, probabilities: Matrix) -> Matrix:
        """Return the probabilities of what is true: (n, k) of each class by itself, else (n, 1)."""
        if self.multi_label:
            return np.where(self.members, probabilities, 1 - probabilities)
        return np.asarray((self.members * probabilities).sum(axis=1, keepdims=True))


def _normal(values: Matrix, spread: float) -> tuple[float, Matrix]:
    return 0.5 * float(np.square(values / spread).sum()), values / spread**2


def _walk(values: Matrix, spread: float) -> tuple[float, Matrix]:
    """Return minus the logarithm of the prior of a walk that begins at 0 beyond the last value."""
    steps = values - np.concatenate((values[1:], np.zeros_like(values[:1])))
    value, gradient = _normal(steps, spread)
    gradient[1:] -= gradient[:-1].copy()
    return value, gradient
