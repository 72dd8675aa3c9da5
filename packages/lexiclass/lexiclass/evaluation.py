"""How good predictions are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import expected_calibration_error
from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.labels import label_codes
from lexiclass.predictions import Predictions


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
        InvalidParameters: If there are not as many labels as predictions.
    """
    if len(labels) != len(predictions):
        raise InvalidParameters(
            f"Found {len(labels)} true labels and {len(predictions)} predictions; give one each."
        )
    if len(labels) == 0:
        raise NoDocuments("There is no test document to evaluate on; label some for testing.")
    predicted_labels = predictions.labels
    classes = sorted({*labels, *predicted_labels})
    true = label_codes(labels, classes)
    predicted = label_codes(predicted_labels, classes)
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)

    hits = matrix.diagonal()
    support = matrix.sum(axis=1)
    precision = _ratio(hits, matrix.sum(axis=0))
    recall = _ratio(hits, support)
    f1_score = _ratio(2 * hits, support + matrix.sum(axis=0))
    correct = true == predicted
    columns = (precision, recall, f1_score)
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
        "per_class_metrics": {
            name: {
                "precision": float(precision[code]),
                "recall": float(recall[code]),
                "f1_score": float(f1_score[code]),
                "support": int(support[code]),
            }
            for code, name in enumerate(classes)
        },
        "confusion_matrix": {"classes": classes, "matrix": matrix.tolist()},
        "expected_calibration_error": expected_calibration_error(predictions.confidence, correct),
    }


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide, giving 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
