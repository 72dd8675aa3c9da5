from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from lexiclass import (
    InvalidParameters,
    NoDocuments,
    Predictions,
    evaluate,
    evaluate_decisions,
    evaluation,
    unseen_classes,
)

CLASSES = ("a", "b", "c")
PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(CLASSES)), min_size=1)


def predictions(labels: list[str]) -> Predictions:
    probabilities = np.full((len(labels), 3), 0.1)
    probabilities[np.arange(len(labels)), [CLASSES.index(label) for label in labels]] = 0.8
    return Predictions(CLASSES, probabilities)


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(PAIRS)
def test_metrics_equal_scikit_learn(pairs: list[tuple[str, str]]) -> None:
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
    measures = ("precision", "recall", "f1_score", "support")
    for name, *values in zip(names, *columns, strict=True):
        assert found["per_class_metrics"][name] == pytest.approx(
            dict(zip(measures, values, strict=True))
        )
    assert found["confusion_matrix"] == {
        "classes": names,
        "matrix": metrics.confusion_matrix(true, predicted, labels=names).tolist(),
    }
    assert found["expected_calibration_error"] == pytest.approx(abs(0.8 - found["accuracy"]))
    json.dumps(found)


def test_the_names_of_the_metrics() -> None:
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


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(NoDocuments, match="no test document"):
        evaluate([], Predictions(CLASSES, np.empty((0, 3))))
    with pytest.raises(InvalidParameters, match="1 true labels and 2 predictions"):
        evaluate(["a"], predictions(["a", "b"]))


def test_predictions_are_read_one_by_one_or_at_once() -> None:
    found = predictions(["b", "a"])
    assert found.labels == ["b", "a"]
    assert found.confidence.tolist() == [0.8, 0.8]
    assert [(p.label, p.confidence) for p in found] == [("b", 0.8), ("a", 0.8)]
    empty = Predictions(CLASSES, np.empty((0, 3)))
    assert (len(empty), empty.labels, list(empty)) == (0, [], [])


def test_of_many_classes_only_the_cells_that_hold_documents_are_given() -> None:
    # 2,000 classes, each seen once: right in every second case, else taken for class 0.
    true = [f"class-{number:04d}" for number in range(2_000)]
    predicted = [name if number % 2 == 0 else true[0] for number, name in enumerate(true)]
    found = evaluate_decisions(true, predicted, np.full(2_000, 0.5))
    matrix = found["confusion_matrix"]
    assert matrix["classes"] == true
    assert matrix["matrix"] is None
    assert matrix["num_omitted"] == 0
    assert matrix["cells"][0] == [0, 0, 1]
    assert {(row, column): count for row, column, count in matrix["cells"]} == {
        (number, number if number % 2 == 0 else 0): 1 for number in range(2_000)
    }
    assert found["accuracy"] == 0.5
    assert len(json.dumps(found)) < 600_000


def test_the_largest_cells_are_given_first_and_no_more_than_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "MAX_MATRIX_CLASSES", 2)
    monkeypatch.setattr(evaluation, "MAX_CONFUSION_CELLS", 2)
    found = evaluate_decisions(list("aabbbc"), list("aabbac"), np.ones(6))
    assert found["confusion_matrix"] == {
        "classes": ["a", "b", "c"],
        "matrix": None,
        "cells": [[0, 0, 2], [1, 1, 2]],
        "num_omitted": 2,
    }


@given(PAIRS)
def test_a_matrix_by_cells_says_what_a_whole_one_says(pairs: list[tuple[str, str]]) -> None:
    true, predicted = map(list, zip(*pairs, strict=True))
    whole = evaluate(true, predictions(predicted))["confusion_matrix"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "MAX_MATRIX_CLASSES", 0)
        by_cells = evaluate(true, predictions(predicted))["confusion_matrix"]
    matrix = np.zeros((len(by_cells["classes"]),) * 2, dtype=int)
    for row, column, count in by_cells["cells"]:
        matrix[row, column] = count
    assert matrix.tolist() == whole["matrix"]


def test_classes_that_the_model_was_not_trained_on_are_counted() -> None:
    assert unseen_classes(list("abbcc"), ["a"]) == {"b": 2, "c": 2}
    assert unseen_classes(["a"], ["a", "b"]) == {}


@given(st.lists(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=5, max_size=5), min_size=1))
def test_the_highest_are_the_first_of_a_stable_order(rows: list[list[float]]) -> None:
    probabilities = np.array(rows)
    found = Predictions(tuple("abcde"), probabilities)
    codes, values = found.highest(3)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    assert codes.tolist() == order.tolist()
    assert values.tolist() == np.take_along_axis(probabilities, order, axis=1).tolist()
    assert codes[:, 0].tolist() == found.codes.tolist()
