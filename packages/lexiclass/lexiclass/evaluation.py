"""How good predictions are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence, Sized
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import expected_calibration_error
from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.labels import check_label_sets, label_codes, label_members
from lexiclass.predictions import Predictions

Column: TypeAlias = NDArray[np.float64]

#: Precision, recall and F1.
Scores: TypeAlias = tuple[Column, Column, Column]

#: Classes up to which a confusion matrix is given whole: 10,000 cells. That of thousands of classes
#: is almost empty, and larger than a database takes as one value.
MAX_MATRIX_CLASSES: Final = 100

#: Cells given of a larger one, those with the most documents.
MAX_CONFUSION_CELLS: Final = 10_000


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
        {class: {precision, recall, f1_score, support}}; ``confusion_matrix``, see
        :func:`confusion_matrix`; ``expected_calibration_error`` over 15 bins of equal width.

    Raises:
        NoDocuments: If there is nothing to compare.
        InvalidParameters: If there are not as many labels as predictions, or documents can have
            any number of classes.
    """
    if predictions.threshold is not None:
        raise InvalidParameters(
            "These predictions are of any number of classes a document; use evaluate_label_sets."
        )
    return evaluate_decisions(labels, predictions.labels, predictions.confidence)


def evaluate_decisions(
    labels: Sequence[str], predicted: Sequence[str], confidence: Column
) -> dict[str, Any]:
    """Compare predicted classes with the truth, where all probabilities would take much memory.

    Args:
        labels: The n true labels.
        predicted: The n predicted ones.
        confidence: (n,) probability of each predicted class.

    Returns:
        What :func:`evaluate` does.

    Raises:
        NoDocuments: If there is nothing to compare.
        InvalidParameters: If there are not as many labels as predictions.
    """
    _check_lengths(labels, predicted)
    classes = sorted({*labels, *predicted})
    true_codes, codes = label_codes(labels, classes), label_codes(predicted, classes)
    correct = true_codes == codes
    support = np.bincount(true_codes, minlength=len(classes))
    columns = _scores(
        np.bincount(codes[correct], minlength=len(classes)),
        np.bincount(codes, minlength=len(classes)),
        support,
    )
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
        "confusion_matrix": confusion_matrix(classes, true_codes, codes),
        "expected_calibration_error": expected_calibration_error(confidence, correct),
    }


def confusion_matrix(
    classes: Sequence[str], true: NDArray[np.intp], predicted: NDArray[np.intp]
) -> dict[str, Any]:
    """Count documents by true and predicted class.

    Args:
        classes: The k names.
        true: (n,) number of each document's true class.
        predicted: (n,) number of its predicted one.

    Returns:
        ``classes``, and ``matrix`` with true classes in rows and predicted ones in columns. With
        more than :data:`MAX_MATRIX_CLASSES` the matrix is None, and ``cells`` are [true, predicted,
        documents], numbers of classes first, largest first: those that are not 0, at most
        :data:`MAX_CONFUSION_CELLS`, and ``num_omitted`` documents are in others.
    """
    k = len(classes)
    cells, counts = np.unique(true * k + predicted, return_counts=True)
    if k <= MAX_MATRIX_CLASSES:
        matrix = np.zeros(k * k, dtype=np.int64)
        matrix[cells] = counts
        return {"classes": list(classes), "matrix": matrix.reshape(k, k).tolist()}
    largest = np.argsort(-counts, kind="stable")[:MAX_CONFUSION_CELLS]
    rows, columns = np.divmod(cells[largest], k)
    return {
        "classes": list(classes),
        "matrix": None,
        "cells": np.column_stack((rows, columns, counts[largest])).tolist(),
        "num_omitted": len(true) - int(counts[largest].sum()),
    }


def unseen_classes(labels: Sequence[str], classes: Collection[str]) -> Counter[str]:
    """Count the documents of true classes that a model was not trained on, by class."""
    known = frozenset(classes)
    return Counter(label for label in labels if label not in known)


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


def _check_lengths(labels: Sized, predictions: Sized) -> None:
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
