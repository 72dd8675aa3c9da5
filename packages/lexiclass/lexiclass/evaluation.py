"""How good predictions are."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Sized
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import expected_calibration_error
from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.labels import check_label_sets, label_codes, label_members
from lexiclass.predictions import Predictions

Column: TypeAlias = NDArray[np.float64]

#: Precision, recall and F1.
Scores: TypeAlias = tuple[Column, Column, Column]


def evaluate(labels: Sequence[str], predictions: Predictions) -> dict[str, Any]:
    """Compare predictions with the truth.

    A class that is never predicted has precision 0, one that never occurs recall 0. Averages and
    the confusion matrix are over the classes that occur or are predicted. A true class that the
    model does not know counts as missed.

    Args:
        labels: The n true labels.
        predictions: The n predictions.

    Returns:
        JSON-serialisable ``accuracy``; ``precision``, ``recall``, ``f1_score`` (weighted by
        support); ``macro_precision``, ``macro_recall``, ``macro_f1``; ``per_class_metrics``
        {class: {precision, recall, f1_score, support}}; ``confusion_matrix`` {classes, matrix}
        with true classes in rows and predicted ones in columns; ``expected_calibration_error``
        over 15 bins of equal width.

    Raises:
        NoDocuments: If there is nothing to compare.
        InvalidParameters: If there are not as many labels as predictions, or documents can have
            any number of classes.
    """
    if predictions.threshold is not None:
        raise InvalidParameters(
            "These predictions are of any number of classes a document; use evaluate_label_sets."
        )
    _check_lengths(labels, predictions)
    predicted_labels = predictions.labels
    classes = sorted({*labels, *predicted_labels})
    true = label_codes(labels, classes)
    predicted = label_codes(predicted_labels, classes)
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)

    hits = matrix.diagonal()
    support = matrix.sum(axis=1)
    columns = _scores(hits, matrix.sum(axis=0), support)
    correct = true == predicted
    return {
        "accuracy": float(correct.mean()),
        **{
            name: float(np.average(column, weights=support))
            for name, column in zip(("precision", "recall", "f1_score"), columns, strict=True)
        },
        **{
            name: float(column.mean())
            for name, column in zip(
                ("macro_precision", "macro_recall", "macro_f1"), columns, strict=True
            )
        },
        "per_class_metrics": _per_class(classes, columns, support),
        "confusion_matrix": {"classes": classes, "matrix": matrix.tolist()},
        "expected_calibration_error": expected_calibration_error(predictions.confidence, correct),
    }


def evaluate_label_sets(
    label_sets: Sequence[Collection[str]], predictions: Predictions
) -> dict[str, Any]:
    """Compare predictions of any number of classes a document with the truth.

    Averages are over the classes that occur or are predicted. A ratio of nothing to nothing counts
    0 for a class, but a document that has no class and gets none is right: its F1 is 1. A true
    class that the model does not know counts as missed.

    Args:
        label_sets: The true labels of the n documents.
        predictions: The n predictions.

    Returns:
        JSON-serialisable ``subset_accuracy`` (all classes of a document right), ``hamming_loss``
        (share of wrong decisions over documents and the classes above), precision, recall and
        F1 as ``micro_``, ``macro_`` and ``sample_`` averages; ``per_class_metrics``;
        ``expected_calibration_error`` of all (document, class) probabilities over 15 bins.

    Raises:
        NoDocuments: If there is nothing to compare.
        InvalidParameters: If there are not as many label sets as predictions, or one is no set.
    """
    check_label_sets(label_sets)
    _check_lengths(label_sets, predictions)
    known = set(predictions.classes).union(*label_sets)
    names = sorted(known)
    true = label_members(label_sets, names)
    columns = label_codes(predictions.classes, names)
    predicted = np.zeros_like(true)
    predicted[:, columns] = predictions.members

    hits = true & predicted
    of_class = _scores(hits.sum(axis=0), predicted.sum(axis=0), true.sum(axis=0))
    of_all = _scores(*(np.array([part.sum()]) for part in (hits, predicted, true)))
    of_document = _scores(hits.sum(axis=1), predicted.sum(axis=1), true.sum(axis=1), empty=1.0)
    seen = true.any(axis=0) | predicted.any(axis=0)
    averages = {
        "micro": of_all,
        "macro": tuple(column[seen] for column in of_class),
        "sample": of_document,
    }
    return {
        "subset_accuracy": float((true == predicted).all(axis=1).mean()),
        "hamming_loss": float((true != predicted)[:, seen].mean()) if seen.any() else 0.0,
        **{
            f"{average}_{name}": float(column.mean()) if len(column) else 0.0
            for average, scores in averages.items()
            for name, column in zip(("precision", "recall", "f1"), scores, strict=True)
        },
        "per_class_metrics": _per_class(names, of_class, true.sum(axis=0)),
        "expected_calibration_error": expected_calibration_error(
            predictions.probabilities.ravel(), true[:, columns].ravel()
        ),
    }


def _check_lengths(labels: Sized, predictions: Predictions) -> None:
    if len(labels) != len(predictions):
        raise InvalidParameters(
            f"Found {len(labels)} true labels and {len(predictions)} predictions; give one each."
        )
    if len(labels) == 0:
        raise NoDocuments("There is no test document to evaluate on; label some for testing.")


def _per_class(
    classes: Sequence[str], scores: Scores, support: NDArray[np.int64]
) -> dict[str, dict[str, float | int]]:
    precision, recall, f1_score = scores
    return {
        name: {
            "precision": float(precision[code]),
            "recall": float(recall[code]),
            "f1_score": float(f1_score[code]),
            "support": int(support[code]),
        }
        for code, name in enumerate(classes)
    }


def _scores(
    hits: NDArray[np.int64],
    predicted: NDArray[np.int64],
    true: NDArray[np.int64],
    *,
    empty: float = 0.0,
) -> Scores:
    """Return precision, recall and F1; ``empty`` where there is nothing to divide by."""
    return (
        _ratio(hits, predicted, empty),
        _ratio(hits, true, empty),
        _ratio(2 * hits, predicted + true, empty),
    )


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64], empty: float) -> NDArray[np.float64]:
    ratios: NDArray[np.float64] = np.full(len(part), empty)
    return np.divide(part, whole, out=ratios, where=whole > 0)
