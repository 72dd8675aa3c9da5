from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from lexiclass import InvalidParameters, NoDocuments, Predictions, evaluate

CLASSES = ("a", "b", "c")
PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(CLASSES)), min_size=1)


def predictions(labels: list[str]) -> Predictions:
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[np.arange(len(labels)), [CLASSES.index(label) for label in labels]] = 0.8
    return Predictions(CLASSES, probabilities)


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(PAIRS)
def test_metrics_equal_scikit_learn(pairs):
    true, predicted = map(list, zip(*pairs, strict=True))
    found = evaluate(true, predictions(predicted))
    names = sorted({*true, *predicted})
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    for average, keys in (
        ("weighted", ("precision", "recall", "f1_score")),
        ("macro", ("macro_precision", "macro_recall", "macro_f1")),
    ):
        expected = metrics.precision_recall_fscore_support(
            true, predicted, average=average, labels=names, zero_division=0
        )
        assert [found[key] for key in keys] == pytest.approx(expected[:3])
    columns = metrics.precision_recall_fscore_support(
        true, predicted, labels=names, zero_division=0
    )
    keys = ("precision", "recall", "f1_score", "support")
    for name, *values in zip(names, *columns, strict=True):
        assert found["per_class_metrics"][name] == pytest.approx(
            dict(zip(keys, values, strict=True))
        )
    assert found["confusion_matrix"] == {
        "classes": names,
        "matrix": metrics.confusion_matrix(true, predicted, labels=names).tolist(),
    }
    assert found["expected_calibration_error"] == pytest.approx(abs(0.8 - found["accuracy"]))
    json.dumps(found)


def test_the_names_of_the_metrics():
    assert list(evaluate(["a"], predictions(["a"]))) == [
        "accuracy",
        "precision",
        "recall",
        "f1_score",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "per_class_metrics",
        "confusion_matrix",
        "expected_calibration_error",
    ]


def test_nothing_to_compare_is_an_error():
    with pytest.raises(NoDocuments, match="no test document"):
        evaluate([], Predictions(CLASSES, np.empty((0, 3))))
    with pytest.raises(InvalidParameters, match="1 true labels and 2 predictions"):
        evaluate(["a"], predictions(["a", "b"]))


def test_predictions_are_read_one_by_one_or_at_once():
    found = predictions(["b", "a"])
    assert found.labels == ["b", "a"]
    assert found.confidence.tolist() == [0.8, 0.8]
    assert [(p.label, p.confidence) for p in found] == [("b", 0.8), ("a", 0.8)]
    empty = Predictions(CLASSES, np.empty((0, 3)))
    assert (len(empty), empty.labels, list(empty)) == (0, [], [])
