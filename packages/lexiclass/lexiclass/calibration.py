"""From classifier scores to probabilities that mean what they say.

A calibrator is fitted on scores of documents the classifier was not trained on. Which of the two
methods serves a data set better differs, so :func:`fit_calibrator` measures both and keeps the
better one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy  # loads its optimize when that is first used: predicting does without
from numpy.typing import NDArray
from scipy import special
from threadpoolctl import threadpool_limits

from lexiclass.errors import ModelCorrupt

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

# A normal prior on the logarithm of the temperature, centred on 1 with this standard deviation.
# It counts as much as a few documents: it decides where there are none and vanishes with many.
_LOG_TEMPERATURE_SPREAD = 1.0

# Bounds of the same logarithm: beyond them probabilities are uniform or one-hot for any score.
_LOG_TEMPERATURE_BOUNDS = (-7.0, 7.0)

# Below this many scored documents per class a sigmoid per class (2 parameters each) is not tried.
_SIGMOID_MIN_EXAMPLES = 10

# Standard deviations that can't be chance: one time in 44.
_SURE = 2.0


class Calibrator(Protocol):
    """Turns (n, k) scores into (n, k) probabilities whose rows sum to 1."""

    method: ClassVar[str]

    def __call__(self, scores: Matrix) -> Matrix:
        """Return the probabilities."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what :func:`load_calibrator` needs, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Temperature:
    """Softmax of scores divided by one temperature; keeps the order of classes.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017.
    """

    method: ClassVar[str] = "temperature"
    temperature: float = 1.0

    @classmethod
    def fit(cls, scores: Matrix, codes: Codes) -> Temperature:
        """Find the temperature that makes the true classes most probable, given the prior.

        Args:
            scores: (n, k) scores of documents that were not trained on; n may be 0.
            codes: (n,) column of the true class.
        """

        def loss(log_temperature: float) -> float:
            prior = 0.5 * (log_temperature / _LOG_TEMPERATURE_SPREAD) ** 2
            log_probabilities = special.log_softmax(scores * np.exp(-log_temperature), axis=1)
            return prior - float(log_probabilities[np.arange(len(codes)), codes].sum())

        best = scipy.optimize.minimize_scalar(
            loss, bounds=_LOG_TEMPERATURE_BOUNDS, method="bounded"
        )
        return cls(float(np.exp(best.x)))

    def __call__(self, scores: Matrix) -> Matrix:
        """Return (n, k) probabilities."""
        return np.asarray(special.softmax(scores / self.temperature, axis=1))

    def state(self) -> dict[str, Any]:
        """Return the method and the temperature."""
        return {"method": self.method, "temperature": self.temperature}


@dataclass(frozen=True, slots=True, eq=False)
class Sigmoid:
    """One sigmoid per class on its own score, scaled to sum to 1, then tempered.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its smoothed
    targets; B. Zadrozny, C. Elkan, KDD 2002, for many classes. Scaling sigmoids that do not know of
    each other makes the sum too cautious; one temperature on the result takes that back (measured
    on AG News: calibration error 0.030 without it, 0.013 with it).

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
    def fit(cls, scores: Matrix, codes: Codes) -> Sigmoid:
        """Fit each class against the rest.

        Args:
            scores: (n, k) scores of documents that were not trained on.
            codes: (n,) column of the true class.
        """
        fitted = [fit_sigmoid(column, codes == k) for k, column in enumerate(scores.T)]
        return cls._tempered(scores, codes, *np.array(fitted).T)

    @classmethod
    def fit_shared(cls, scores: Matrix, codes: Codes) -> Sigmoid:
        """Fit one sigmoid for all classes; keeps their order.

        Args:
            scores: (n, k) scores of documents that were not trained on.
            codes: (n,) column of the true class.
        """
        k = scores.shape[1]
        is_true = codes[:, np.newaxis] == np.arange(k)
        slope, offset = fit_sigmoid(scores.ravel(), is_true.ravel())
        return cls._tempered(scores, codes, np.full(k, slope), np.full(k, offset))

    @classmethod
    def _tempered(cls, scores: Matrix, codes: Codes, slopes: Matrix, offsets: Matrix) -> Sigmoid:
        logs = special.log_expit(scores * slopes + offsets)
        return cls(slopes, offsets, Temperature.fit(logs, codes))

    def __call__(self, scores: Matrix) -> Matrix:
        """Return (n, k) probabilities."""
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


def fit_sigmoid(scores: Matrix, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit ``P(positive) = expit(slope * score + offset)``.

    With Platt's targets and the numerically safe likelihood of H.-T. Lin, C.-J. Lin, R. Weng, "A
    note on Platt's probabilistic outputs for support vector machines", Machine Learning 68, 2007.

    Args:
        scores: (n,) scores.
        positive: (n,) whether each is of the class.

    Returns:
        Slope and offset.
    """
    num_positive = int(np.count_nonzero(positive))
    num_negative = len(positive) - num_positive
    high, low = (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2)
    targets = np.where(positive, high, low)

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        slope, offset = parameters
        z = slope * scores + offset
        value = float((np.logaddexp(0, z) - targets * z).sum())
        error = special.expit(z) - targets
        # Not a dot product: its threads cost more than they save at this size.
        return value, np.array([(error * scores).sum(), error.sum()])

    start = np.array([0.0, np.log((num_positive + 1) / (num_negative + 1))])
    best = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B")
    return float(best.x[0]), float(best.x[1])


def fit_calibrator(scores: Matrix, codes: Codes) -> Calibrator:
    """Fit the method that does best on documents it was not fitted on.

    All are fitted on one half of the documents and judged on the other, then the best one is fitted
    on all. Temperature and shared sigmoid keep the classifier's decisions; of these it is the one
    with the smaller negative log likelihood, a proper score. A sigmoid per class changes decisions,
    for which alone the classifier was trained; it is taken where that is surely for the better, as
    it is where classes are rare (Q. McNemar, Psychometrika 12, 1947). With few documents of some
    class, or none at all, it is the temperature: its prior then has the say.

    Args:
        scores: (n, k) scores of documents the classifier was not trained on; n may be 0.
        codes: (n,) column of the true class.
    """
    per_class = np.bincount(codes, minlength=scores.shape[1])
    if per_class.min() < _SIGMOID_MIN_EXAMPLES:
        return Temperature.fit(scores, codes)
    # The threads of a linear algebra library wait for each other longer than they compute here.
    with threadpool_limits(1):
        keeping = {
            method: _judged(method, scores, codes)
            for method in (Temperature.fit, Sigmoid.fit_shared)
        }
        best = min(keeping, key=lambda method: negative_log_likelihood(keeping[method], codes))
        changing = _judged(Sigmoid.fit, scores, codes)
        is_better = _corrects(keeping[best].argmax(axis=1), changing.argmax(axis=1), codes)
        return (Sigmoid.fit if is_better else best)(scores, codes)


def _judged(method: Callable[[Matrix, Codes], Calibrator], scores: Matrix, codes: Codes) -> Matrix:
    """Return (n, k) probabilities by a calibrator that was fitted on the other half."""
    # Every second document of each class, so that both halves have all classes.
    half = np.empty(len(codes), dtype=np.intp)
    half[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % 2
    probabilities = np.empty_like(scores)
    for part in (0, 1):
        calibrator = method(scores[half != part], codes[half != part])
        probabilities[half == part] = calibrator(scores[half == part])
    return probabilities


def _corrects(before: Codes, after: Codes, codes: Codes) -> bool:
    """Whether more decisions become right than wrong, by more than chance would have it."""
    better = np.count_nonzero((before != codes) & (after == codes))
    worse = np.count_nonzero((before == codes) & (after != codes))
    return bool(better - worse > _SURE * np.sqrt(better + worse))


def load_calibrator(state: Mapping[str, Any], *, num_classes: int, file: str) -> Calibrator:
    """Restore a calibrator from :meth:`Calibrator.state`.

    Args:
        state: The state.
        num_classes: Number of columns of the scores it is for.
        file: Where the state came from, for the error.

    Raises:
        ModelCorrupt: If the state is not one.
    """
    try:
        temper = Temperature(float(state["temperature"]))
        if temper.temperature > 0 and state["method"] == Temperature.method:
            return temper
        if temper.temperature > 0 and state["method"] == Sigmoid.method:
            slopes = np.array(state["slopes"], dtype=np.float64)
            intercepts = np.array(state["offsets"], dtype=np.float64)
            if slopes.shape == intercepts.shape == (num_classes,):
                return Sigmoid(slopes, intercepts, temper)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file, f"not a calibrator ({error!r})") from error
    raise ModelCorrupt(file, f"not a calibrator for {num_classes} classes")


def negative_log_likelihood(probabilities: Matrix, codes: Codes) -> float:
    """Return the sum of ``-ln`` of the probabilities of the true classes."""
    true = probabilities[np.arange(len(codes)), codes]
    return -float(np.log(np.maximum(true, np.finfo(np.float64).tiny)).sum())


def expected_calibration_error(
    confidence: Matrix, correct: NDArray[np.bool_], *, num_bins: int = 15
) -> float:
    """Return how far confidence is from accuracy, on average over documents.

    Documents fall into bins of equal width over [0, 1], closed on the right; a bin counts by its
    share of the documents. Source: M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015, with 15 bins as
    in Guo et al. 2017.

    Args:
        confidence: (n,) probability of the predicted class.
        correct: (n,) whether the prediction was right.
        num_bins: Number of bins.
    """
    if len(confidence) == 0:
        return 0.0
    bins = np.clip(np.ceil(confidence * num_bins).astype(np.intp) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(confidence))
