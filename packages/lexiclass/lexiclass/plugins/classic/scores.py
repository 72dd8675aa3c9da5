"""Probabilities from the labels and scores of a classic classifier, whatever the scores are.

A classic ``predict`` returns labels with either a matrix, one score per class, or a vector, which
may be the margin of a binary machine, the probability of one class or the confidence in the label.
None of these is calibrated, and columns may be in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import scipy  # loads its optimize when that is first used: predicting does without
from numpy.typing import NDArray
from scipy import sparse, special

from lexiclass.calibration import (
    MARGIN_SLOPE,
    Calibrator,
    PooledSigmoids,
    fit_sigmoid,
    load_calibrator,
)
from lexiclass.errors import InvalidParameters, ModelCorrupt

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

# Rows that sum to 1 within this are probabilities, and their logarithms the better scores.
_SUM_TOLERANCE = 1e-3
_SMALLEST_PROBABILITY = 1e-12


_UNKNOWN = -1


class ScoreReader(Protocol):
    """Turns predicted class numbers and raw scores into (n, k) probabilities."""

    def __call__(self, predicted: Codes, scores: Matrix) -> Matrix:
        """Return the probabilities."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what :func:`load_reader` needs, as JSON."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class VectorReader:
    """Probability that the predicted label is right, as a sigmoid of the score.

    The rest is spread evenly. With two classes each label has a sigmoid of its own, which makes
    signed margins, probabilities of the second class and confidences work alike.

    Attributes:
        slopes: (k,) factor for each predicted class.
        offsets: (k,) offset for each predicted class.
    """

    slopes: Matrix
    offsets: Matrix

    @classmethod
    def fit(
        cls, predicted: Codes, scores: Matrix, codes: Codes, num_classes: int, weights: Matrix
    ) -> Self:
        """Fit on (n,) scores of documents that were not trained on, by what each counts."""
        groups = (
            [predicted == label for label in range(2)]
            if num_classes == 2
            else [np.ones(len(codes), dtype=bool)] * num_classes
        )
        right = predicted == codes
        fitted = [fit_sigmoid(scores[group], right[group], weights[group]) for group in groups]
        slopes, intercepts = np.array(fitted).T
        return cls(slopes, intercepts)

    def __call__(self, predicted: Codes, scores: Matrix) -> Matrix:
        """Return (n, k) probabilities; the predicted class is the most probable."""
        num_classes = len(self.slopes)
        right = special.expit(self.slopes[predicted] * scores + self.offsets[predicted])
        # Never below its share: the label is the classifier's to choose.
        right = np.clip(right, (1 + 1e-6) / num_classes, 1.0)
        probabilities = np.repeat((1 - right)[:, None] / (num_classes - 1), num_classes, axis=1)
        probabilities[np.arange(len(predicted)), predicted] = right
        return probabilities

    def state(self) -> dict[str, Any]:
        """Return slopes and offsets."""
        return {
            "kind": "vector",
            "slopes": self.slopes.tolist(),
            "offsets": self.offsets.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class MatrixReader:
    """Calibrated probabilities from one score per class.

    Attributes:
        columns: (k,) score column of each class.
        are_probabilities: Whether to take logarithms first.
        calibrator: Turns scores into probabilities.
    """

    columns: Codes
    are_probabilities: bool
    calibrator: Calibrator

    def __call__(self, predicted: Codes, scores: Matrix) -> Matrix:
        """Return (n, k) probabilities."""
        del predicted  # the scores say it all
        return self.calibrator(_as_margins(scores[:, self.columns], logs=self.are_probabilities))

    def state(self) -> dict[str, Any]:
        """Return the columns, what they are, and the calibrator."""
        return {
            "kind": "matrix",
            "columns": self.columns.tolist(),
            "are_probabilities": self.are_probabilities,
            "calibrator": self.calibrator.state(),
        }


def fit_reader(
    held_out: tuple[Codes, Matrix, Codes],
    trained_on: tuple[Codes, Matrix],
    num_classes: int,
    weights: Matrix | None = None,
) -> ScoreReader:
    """Fit a reader.

    Args:
        held_out: Predicted class, score(s) and true class of documents not trained on; may be
            empty. The columns of these scores are in class order already.
        trained_on: Predicted class and scores, by the final classifier, of its own documents.
        num_classes: Number of classes k, at least 2.
        weights: (n,) what each document held out counts; 1 if not given.
    """
    predicted, scores, codes = held_out
    weights = np.ones(len(codes)) if weights is None else weights
    if scores.ndim == 1:
        return VectorReader.fit(predicted, scores, codes, num_classes, weights)
    own_predicted, own_scores = trained_on
    logs = _are_probabilities(own_scores) and _are_probabilities(scores)
    margins = _as_margins(scores, logs=logs)
    calibrator = PooledSigmoids.fit(
        margins, codes, slope=1.0 if logs else _slope(margins), weights=weights
    )
    return MatrixReader(class_columns(own_predicted, own_scores), logs, calibrator)


def _slope(margins: Matrix) -> float:
    """Return the slope to start from, as if margins were about 1, of whatever size they are."""
    size = float(np.sqrt(np.square(margins).mean())) if margins.size else 1.0
    return MARGIN_SLOPE / size if 0 < size < np.inf else MARGIN_SLOPE


def class_columns(predicted: Codes, scores: Matrix) -> Codes:
    """Find which score column belongs to which class, from where the highest score is.

    Columns are assigned so that as many highest scores as possible are those of the predicted
    classes. Classes of which none is keep their sorted place where that is free.
    """
    num_classes = scores.shape[1]
    highest = scores.argmax(axis=1)
    counts = _count(predicted, highest, num_classes)
    columns = np.full(num_classes, _UNKNOWN, dtype=np.intp)
    for rows, places in _entangled(predicted, highest, num_classes):
        # Weighted less than any count, the sorted place decides between equal assignments only.
        weights = counts[rows][:, places].toarray()
        weights += (rows[:, np.newaxis] == places) / (2 * num_classes)
        at, to = scipy.optimize.linear_sum_assignment(weights, maximize=True)
        is_seen = weights[at, to] >= 1
        columns[rows[at[is_seen]]] = places[to[is_seen]]
    taken = set(columns.tolist())
    for row in np.flatnonzero(columns == _UNKNOWN):
        if int(row) not in taken:
            columns[row] = row
    free = np.setdiff1d(np.arange(num_classes), columns)
    columns[columns == _UNKNOWN] = free
    return columns


def _count(rows: Codes, columns: Codes, size: int) -> sparse.csr_array:
    """How often each pair comes, as a square of which little is there."""
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))


def _entangled(predicted: Codes, highest: Codes, num_classes: int) -> Iterator[tuple[Codes, Codes]]:
    """Classes and columns that were seen together, directly or through others, group by group.

    Where the order of the columns is plain to see each group is one class and one column, however
    many there are.
    """
    # The columns are numbered after the classes.
    graph = _count(predicted, highest + num_classes, 2 * num_classes)
    _, groups = sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if len(members) > 1:
            is_class = members < num_classes
            yield members[is_class], members[~is_class] - num_classes


def check_scores(scores: Any, num_documents: int, num_classes: int, name: str) -> Matrix:
    """Return scores as (n,) or (n, k) floats.

    Raises:
        InvalidParameters: If they have another shape.
    """
    result = np.asarray(scores, dtype=np.float64)
    if result.shape == (num_documents, 1):
        result = result[:, 0]
    if result.shape not in {(num_documents,), (num_documents, num_classes)}:
        raise InvalidParameters(
            f"Classifier {name!r} returned scores of shape {result.shape} for {num_documents} "
            f"documents and {num_classes} classes; expected ({num_documents},) or "
            f"({num_documents}, {num_classes})."
        )
    return result


def load_reader(state: Mapping[str, Any], *, num_classes: int, file: str) -> ScoreReader:
    """Restore a reader from :meth:`ScoreReader.state`.

    Raises:
        ModelCorrupt: If the state is not one for this many classes.
    """
    try:
        if state["kind"] == "vector":
            slopes = np.array(state["slopes"], dtype=np.float64)
            intercepts = np.array(state["offsets"], dtype=np.float64)
            if slopes.shape == intercepts.shape == (num_classes,):
                return VectorReader(slopes, intercepts)
        columns = np.array(state["columns"], dtype=np.intp)
        if np.array_equal(np.sort(columns), np.arange(num_classes)):
            calibrator = load_calibrator(state["calibrator"], num_classes=num_classes, file=file)
            return MatrixReader(columns, bool(state["are_probabilities"]), calibrator)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file, f"not a score reader ({error!r})") from error
    raise ModelCorrupt(file, f"not a score reader for {num_classes} classes")


def _are_probabilities(scores: Matrix) -> bool:
    sums = scores.sum(axis=1)
    return bool((scores >= 0).all() and (np.abs(sums - 1) <= _SUM_TOLERANCE).all())


def _as_margins(scores: Matrix, *, logs: bool) -> Matrix:
    return np.log(np.maximum(scores, _SMALLEST_PROBABILITY)) if logs else scores
