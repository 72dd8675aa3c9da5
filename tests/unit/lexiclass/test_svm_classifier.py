from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    NotEnoughDocuments,
    PluginContext,
    default_registry,
)
from lexiclass.plugins.classifiers.svm import classifier as svm_classifier
from lexiclass.plugins.classifiers.svm import machines as svm_machines
from lexiclass.plugins.classifiers.svm.classifier import SvmClassifier
from lexiclass.serialization import write_arrays, write_json


def svm(seed: int = 42, **parameters: Any) -> SvmClassifier:
    return default_registry().create(SvmClassifier, "svm", parameters, PluginContext(seed=seed))


def no_rows(number: int) -> csr_array:
    return sparse.csr_array(np.zeros((number, 2), np.float32))


def blobs(sizes: dict[str, int], seed: int = 0) -> tuple[csr_array, list[str]]:
    """Make rows in which each class has a column of its own, and noise elsewhere."""
    source = np.random.default_rng(seed)
    labels = [name for name, size in sizes.items() for _ in range(size)]
    rows = source.random((len(labels), 20)) * (source.random((len(labels), 20)) < 0.3)
    for row, label in enumerate(labels):
        rows[row, list(sizes).index(label)] += 1
    return sparse.csr_array(rows.astype(np.float32)), labels


@pytest.mark.parametrize(
    "sizes",
    [
        {"a": 1, "b": 1},
        {"a": 2, "b": 1},
        {"a": 40, "b": 1, "c": 1},
        {"a": 40, "b": 40},
        {"a": 30, "b": 2, "c": 20, "d": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("calibration", ["auto", "temperature", "none"])
def test_any_class_sizes_train_and_give_probabilities(
    sizes: dict[str, int], calibration: str
) -> None:
    features, labels = blobs(sizes)
    classifier = svm(calibration=calibration)
    classifier.train(features, labels)
    predicted, probabilities = classifier.predict(features)
    assert classifier.classes == tuple(sorted(sizes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.mean([p == label for p, label in zip(predicted, labels, strict=True)]) > 0.9


def test_the_model_does_not_depend_on_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svm_classifier, "_WORTH_A_PROCESS", 0)
    features, labels = blobs({"a": 30, "b": 20, "c": 10})
    contents = []
    for num_processes in (1, 3):
        context = PluginContext(num_processes=num_processes)
        classifier = default_registry().create(SvmClassifier, "svm", {}, context)
        classifier.train(features, labels)
        directory = tmp_path / str(num_processes)
        directory.mkdir()
        classifier.save(directory)
        contents.append({path.name: path.read_bytes() for path in directory.iterdir()})
    assert contents[0] == contents[1]


def test_large_corpora_hold_out_no_more_than_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    features, labels = blobs({"a": 60, "b": 60, "c": 60})
    monkeypatch.setattr(svm_machines, "_CALIBRATION_DOCUMENTS", 50)
    monkeypatch.setattr(svm_machines, "_CALIBRATION_DOCUMENTS_PER_CLASS", 10)
    svm().train(features, labels, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)  # each class once, and without three tenths of the documents


@pytest.mark.parametrize(
    ("classes", "num_documents", "trainings", "scored"),
    [
        ("abc", 999, 11, 1_000),
        ("abc", 4_998, 5, 4_000),
        ("abc", 6_003, 3, 4_002),
        ("abc", 9_900, 2, 3_300),
        # One machine is for both.
        ("ab", 1_000, 11, 1_000),
        ("ab", 5_000, 7, 3_000),
        ("ab", 9_900, 5, 3_960),
        ("ab", 13_000, 2, 3_250),
    ],
)
def test_the_more_documents_the_fewer_trainings_give_enough_scores(
    classes: str, num_documents: int, trainings: int, scored: int
) -> None:
    told = []
    features, labels = blobs(dict.fromkeys(classes, num_documents // len(classes)))
    classifier = svm(max_iter=1)
    classifier.train(features, labels, progress=lambda done, total: told.append((done, total)))
    num_machines = 1 if len(classes) == 2 else len(classes)
    assert told[-1] == (trainings * num_machines,) * 2
    # Of rows that are nearly the same all are in one fold, so folds differ in size.
    assert classifier.held_out is not None
    assert len(classifier.held_out) == pytest.approx(scored, abs=100)


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "a"]])
def test_too_little_to_train_on(labels: list[str]) -> None:
    with pytest.raises(NotEnoughDocuments):
        svm().train(no_rows(len(labels)), labels)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dense", [False, True])
def test_features_that_are_no_numbers_are_refused(value: float, dense: bool) -> None:
    features, labels = blobs({"a": 30, "b": 30})
    features.data[5] = value
    with pytest.raises(InvalidParameters, match="not finite"):
        svm().train(features.toarray() if dense else features, labels)


def test_the_seed_decides() -> None:
    features, labels = blobs({"a": 30, "b": 30, "c": 30})
    found = []
    for seed in (1, 1, 2):
        classifier = svm(seed)
        classifier.train(features, labels)
        found.append(classifier.predict_proba(features))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_rows_are_predicted_alone_as_together() -> None:
    features, labels = blobs({"a": 20, "b": 20})
    classifier = svm()
    classifier.train(features, labels)
    together = classifier.predict_proba(features)
    alone = np.concatenate([classifier.predict_proba(features[[row]]) for row in range(40)])
    np.testing.assert_array_equal(alone, together)
    assert classifier.predict(features[[]])[0] == []


def test_training_leaves_the_features_as_they_were() -> None:
    features, labels = blobs({"a": 5, "b": 5})
    before = features.toarray()
    svm().train(features, labels)
    np.testing.assert_array_equal(features.toarray(), before)


def test_progress_counts_machines() -> None:
    features, labels = blobs({"a": 9, "b": 9})
    steps = []
    svm(calibration_folds=4).train(features, labels, progress=lambda *step: steps.append(step))
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_stopping_early_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    features, labels = blobs({"a": 20, "b": 20})
    with caplog.at_level(logging.WARNING):
        svm(max_iter=1, tol=1e-9).train(features, labels)
    assert "max_iter=1" in caplog.text


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 0},
        {"C": float("inf")},
        {"tol": float("inf")},
        {"class_weight": {"a": float("inf")}},
        {"class_weight": {"a": float("nan")}},
        {"loss": "log"},
        {"kernel": "rbf"},
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters, match=r"Known parameters: C, loss"):
        svm(**parameters)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: write_json(d / "classes.json", ["a"]),
        lambda d: write_json(d / "calibrator.json", {}),
        lambda d: (d / "planes.safetensors").write_bytes(b"no"),
        lambda d: (d / "planes.safetensors").unlink(),
        lambda d: (d / "classes.json").unlink(),
        lambda d: (d / "classes.json").write_bytes(b"\xff"),
        lambda d: write_arrays(d / "planes.safetensors", {"weights": np.zeros((1, 2))}),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    classifier = svm()
    classifier.train(*blobs({"a": 5, "b": 5}))
    classifier.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelCorrupt):
        svm().load(tmp_path)


@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 20.0}])
def test_weights_make_a_rare_class_found(class_weight: dict[str, float] | str) -> None:
    source = np.random.default_rng(0)
    labels = ["common"] * 300 + ["rare"] * 15
    centres = np.array([[0.0, 1.0]] * 300 + [[0.6, 0.8]] * 15)
    rows = sparse.csr_array((centres + source.normal(0, 0.3, centres.shape)).astype(np.float32))

    def found(**parameters: Any) -> int:
        classifier = svm(**parameters)
        classifier.train(rows, labels)
        return classifier.predict(rows)[0][300:].count("rare")

    assert found(class_weight=class_weight) > found() + 4


@pytest.mark.parametrize(
    "weights", [{"a": 1e308}, {"a": 1e-300}, {"a": 1.01e6}, {"a": 1.1e3, "b": 1e-3}]
)
def test_weights_that_leave_nothing_of_others_are_refused(weights: dict[str, float]) -> None:
    features, labels = blobs({"a": 20, "b": 20})
    with pytest.raises(InvalidParameters, match="at most 1,000,000 times the other"):
        svm(class_weight=weights).train(features, labels)


@pytest.mark.parametrize("size", [1e308, 1e-300])
def test_weights_are_told_by_what_they_are_beside_each_other(size: float) -> None:
    features, labels = blobs({"a": 20, "b": 20})
    plain = svm(class_weight={"a": 0.5, "b": 1})
    plain.train(features, labels)
    sized = svm(class_weight={"a": size / 2, "b": size})
    sized.train(features, labels)
    np.testing.assert_allclose(sized.predict_proba(features), plain.predict_proba(features))


def test_dense_rows_are_as_good() -> None:
    features, labels = blobs({"a": 20, "b": 20, "c": 20})
    sparse_rows, dense_rows = svm(term_weighting=0), svm()
    sparse_rows.train(features, labels)
    dense_rows.train(features.toarray(), labels)
    np.testing.assert_allclose(
        dense_rows.predict_proba(features.toarray()), sparse_rows.predict_proba(features), atol=1e-3
    )
