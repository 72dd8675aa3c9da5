"""Calibrated probabilities where a document can have any number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from lexiclass.calibration import Calibrator, Temperature, fit_calibrator, fit_sigmoid
from lexiclass.calibration import load_calibrator as load_single_calibrator
from lexiclass.errors import ModelCorrupt
from lexiclass.floored_temperature import FlooredTemperature
from lexiclass.targets import Targets

Matrix = NDArray[np.float64]

# A class with fewer held-out documents, with or without it, shares the sigmoid fitted on all.
_OWN_SIGMOID_MIN_EXAMPLES = 10


@dataclass(frozen=True, slots=True, eq=False)
class LabelSigmoids:
    """A sigmoid per class on its own score; rows need not sum to 1.

    Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its smoothed
    targets.

    Attributes:
        slopes: (k,) factor of each class.
        offsets: (k,) offset of each class.
    """

    method: ClassVar[str] = "label_sigmoids"
    slopes: Matrix
    offsets: Matrix

    @classmethod
    def fit(cls, scores: Matrix, members: NDArray[np.bool_]) -> LabelSigmoids:
        """Fit each class that has examples enough, and one sigmoid for the others together.

        Args:
            scores: (n, k) scores of documents that were not trained on, NaN where there is none.
            members: (n, k) whether a document has a class.
        """
        scored = ~np.isnan(scores)
        shared = _rising(fit_sigmoid(scores[scored], members[scored]), (1.0, 0.0))
        fitted = []
        for column, member, known in zip(scores.T, members.T, scored.T, strict=True):
            examples = np.bincount(member[known], minlength=2)
            own = examples.min() >= _OWN_SIGMOID_MIN_EXAMPLES
            fitted.append(
                _rising(fit_sigmoid(column[known], member[known]), shared) if own else shared
            )
        slopes, offsets = np.array(fitted).T
        return cls(slopes, offsets)

    def __call__(self, scores: Matrix) -> Matrix:
        """Return (n, k) probabilities."""
        return np.asarray(special.expit(scores * self.slopes + self.offsets))

    def state(self) -> dict[str, Any]:
        """Return the method, slopes and offsets."""
        return {
            "method": self.method,
            "slopes": self.slopes.tolist(),
            "offsets": self.offsets.tolist(),
        }


def calibrate(
    scores: Matrix, targets: Targets, *, keep_order: bool, floored: bool = False
) -> Calibrator:
    """Fit the calibrator that suits the targets.

    Args:
        scores: (n, k) scores of documents that were not trained on; n may be 0, and with several
            classes a document single scores may be NaN.
        targets: Their classes.
        keep_order: Whether the class with the highest score must stay the most probable one. It
            need not, because a sigmoid per class also corrects what the scores think of how
            frequent classes are; that would undo class weights.
        floored: Whether to keep it by a :class:`FlooredTemperature`.
    """
    if targets.multi_label:
        return LabelSigmoids.fit(scores, targets.members)
    if keep_order:
        method = FlooredTemperature if floored else Temperature
        return method.fit(scores, targets.strata)
    return fit_calibrator(scores, targets.strata)


def load_calibrator(
    state: Mapping[str, Any], *, num_classes: int, multi_label: bool, file: str
) -> Calibrator:
    """Restore a calibrator from :meth:`Calibrator.state`.

    Args:
        state: The state.
        num_classes: Number of columns of the scores it is for.
        multi_label: Whether it is for documents with any number of classes.
        file: Where the state came from, for the error.

    Raises:
        ModelCorrupt: If the state is not one.
    """
    try:
        if not multi_label and state["method"] == FlooredTemperature.method:
            return FlooredTemperature.from_state(state)
        if not multi_label:
            return load_single_calibrator(state, num_classes=num_classes, file=file)
        slopes = np.array(state["slopes"], dtype=np.float64)
        offsets = np.array(state["offsets"], dtype=np.float64)
        if (
            state["method"] == LabelSigmoids.method
            and slopes.shape == offsets.shape == (num_classes,)
            and np.isfinite([slopes, offsets]).all()
        ):
            return LabelSigmoids(slopes, offsets)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file, f"not a calibrator ({error!r})") from error
    raise ModelCorrupt(file, f"not a calibrator for {num_classes} labels")


def _rising(sigmoid: tuple[float, float], otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return a sigmoid unless it makes higher scores less probable: chance, in few documents."""
    return sigmoid if sigmoid[0] > 0 else otherwise
