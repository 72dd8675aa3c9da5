from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    NotEnoughDocuments,
    PluginContext,
    PluginUnavailable,
    default_registry,
)
from lexiclass.serialization import write_json

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.classifiers.xgboost.classifier import XgboostClassifier

pytestmark = pytest.mark.heavy


def xgboost(seed: int = 42, *, multi_label: bool = False, **parameters: Any) -> XgboostClassifier:
    from lexiclass.plugins.classifiers.xgboost.classifier import XgboostClassifier

    context = PluginContext(seed=seed, multi_label=multi_label)
    return default_registry().create(XgboostClassifier, "xgboost", parameters, context)


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
@pytest.mark.parametrize("class_weight", [None, "balanced", {"b": 3.0}])
def test_any_class_sizes_train_and_give_probabilities(
    sizes: dict[str, int], class_weight: dict[str, float] | str | None
) -> None:
    features, labels = blobs(sizes)
    classifier = xgboost(class_weight=class_weight)
    classifier.train(features, labels)
    predicted, probabilities = classifier.predict(features)
    assert classifier.classes == tuple(sorted(sizes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    if min(sizes.values()) > 3:
        assert np.mean([p == label for p, label in zip(predicted, labels, strict=True)]) > 0.9


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("multi_label", [False, True])
def test_a_stored_model_predicts_the_same(tmp_path: Path, dense: bool, multi_label: bool) -> None:
    features, labels = blobs({"a": 30, "b": 30, "c": 30})
    rows = features.toarray() if dense else features
    targets = [{label, "x"} if n % 2 else {label} for n, label in enumerate(labels)]
    classifier = xgboost(multi_label=multi_label)
    classifier.train(rows, targets if multi_label else labels)
    classifier.save(tmp_path)
    loaded = xgboost(multi_label=multi_label)
    loaded.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(rows), classifier.predict_proba(rows))
    again = tmp_path / "again"
    again.mkdir()
    loaded.save(again)
    for name in ("booster.json", "calibrator.json", "classes.json"):
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
    assert classifier.predict_proba(rows[:0]).shape == (0, len(classifier.classes))


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("sparse_rows", [False, True])
def test_neither_the_seed_nor_the_order_of_the_documents_decides(
    tmp_path: Path, sparse_rows: Any, multi_label: Any
) -> None:
    features, names = blobs({"a": 30, "b": 30, "c": 30})
    labels: list[Any] = [[name] for name in names] if multi_label else names
    found = []
    for number, seed in enumerate((1, 2, 1)):
        order = np.random.default_rng(number).permutation(len(labels))
        rows = features[order] if sparse_rows else features.toarray()[order]
        classifier = xgboost(seed, multi_label=multi_label)
        classifier.train(rows, [labels[row] for row in order])
        (tmp_path / str(number)).mkdir()
        classifier.save(tmp_path / str(number))
        found.append((tmp_path / str(number) / "booster.json").read_bytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("num_documents", "scored"), [(300, 300), (1_000, 600), (3_000, 600)])
def test_the_more_documents_the_smaller_is_the_share_that_calibrates(
    num_documents: int, scored: int
) -> None:
    features, labels = blobs({"a": num_documents // 2, "b": num_documents // 2})
    classifier = xgboost(max_rounds=2)
    classifier.train(features, labels)
    # Some of them are near doubles, which count as one.
    assert classifier.num_calibration_documents == pytest.approx(scored, rel=0.1)


def test_training_stops_early_and_says_how_far_it_is() -> None:
    features, labels = blobs({"a": 60, "b": 60})
    steps = []
    classifier = xgboost(max_rounds=400, early_stopping_rounds=5)
    classifier.train(features, labels, progress=lambda *step: steps.append(step))
    done, total = zip(*steps, strict=True)
    assert set(total) == {400 * 6}  # five folds of few documents, and all of them
    assert list(done) == sorted(done)
    assert done[-1] == 2400
    assert len(steps) < 400


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 20.0}])
def test_weights_make_a_rare_class_found(
    class_weight: dict[str, float] | str, multi_label: bool
) -> None:
    source = np.random.default_rng(0)
    labels = ["common"] * 300 + ["rare"] * 20
    centres = np.array([[0.0, 1.0]] * 300 + [[0.6, 0.8]] * 20)
    rows = (centres + source.normal(0, 0.4, centres.shape)).astype(np.float32)
    targets = [{label} for label in labels] if multi_label else labels

    def mean(**parameters: Any) -> float:
        classifier = xgboost(multi_label=multi_label, max_rounds=20, **parameters)
        classifier.train(rows, targets)
        return float(np.mean(classifier.margins(rows)[300:, 1]))

    assert mean(class_weight=class_weight) > mean() + 0.3


def test_weights_are_told_by_what_they_are_beside_each_other() -> None:
    features, labels = blobs({"a": 60, "b": 30, "c": 20})

    def margins(**weights: float) -> Any:
        classifier = xgboost(max_rounds=10, class_weight=weights or None)
        classifier.train(features, labels)
        return classifier.margins(features)

    for size in (1e-3, 0.3, 1e6, 1.1e6):
        np.testing.assert_array_equal(margins(a=size, b=size, c=size), margins())
    weighed = margins(a=1, b=2, c=4)
    np.testing.assert_allclose(margins(a=1e-3, b=2e-3, c=4e-3), weighed, atol=1e-5)


def test_the_weight_of_a_class_that_all_documents_have_changes_nothing() -> None:
    features, labels = blobs({"a": 60, "b": 30, "c": 20})
    label_sets = [{label, "a"} for label in labels]
    found = []
    for class_weight in (None, {"a": 1e3}):
        classifier = xgboost(multi_label=True, max_rounds=10, class_weight=class_weight)
        classifier.train(features, label_sets)
        found.append(classifier.margins(features))
    np.testing.assert_array_equal(found[0], found[1])


def test_labels_with_one_example_and_none(tmp_path: Path) -> None:
    features, _ = blobs({"a": 20, "b": 20})
    label_sets = [{"a", "all"}] * 19 + [{"a", "all", "once"}] + [{"all"}] * 20
    classifier = xgboost(multi_label=True)
    classifier.train(features, label_sets)
    probabilities = classifier.predict_proba(features)
    assert classifier.classes == ("a", "all", "once")
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (probabilities[:, 1] > 0.5).all()


def test_what_can_not_be_trained_says_so() -> None:
    with pytest.raises(NotEnoughDocuments):
        xgboost().train(no_rows(1), ["a"])
    with pytest.raises(InvalidParameters, match="no training document has"):
        xgboost(class_weight={"z": 2.0}).train(*blobs({"a": 2, "b": 2}))
    for dense in (False, True):
        features, labels = blobs({"a": 20, "b": 20})
        features.data[0] = np.inf
        with pytest.raises(InvalidParameters, match="not finite"):
            xgboost().train(features.toarray() if dense else features, labels)
    with pytest.raises(InvalidParameters, match="not trained"):
        xgboost().predict_proba(np.ones((1, 2), np.float32))
    with pytest.raises(InvalidParameters, match="Known parameters: max_rounds"):
        xgboost(booster="dart")


def test_a_gpu_that_is_not_there_says_so() -> None:
    import xgboost as library

    if library.build_info()["USE_CUDA"]:
        pytest.skip("this build could use one")
    with pytest.raises(PluginUnavailable, match="finds no GPU"):
        xgboost(device="cuda").train(*blobs({"a": 2, "b": 2}))


def _more_features(directory: Path) -> None:
    state = json.loads((directory / "calibrator.json").read_bytes())
    write_json(directory / "calibrator.json", {**state, "num_features": 10**9})


def _cyclic(directory: Path) -> None:
    model = json.loads((directory / "booster.json").read_bytes())
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    trees[0]["left_children"][0] = 0
    write_json(directory / "booster.json", model)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: write_json(d / "classes.json", ["a"]),
        lambda d: write_json(d / "classes.json", ["a", "b", "c"]),
        lambda d: write_json(d / "calibrator.json", {}),
        lambda d: (d / "booster.json").write_bytes(b"{}"),
        lambda d: (d / "booster.json").write_bytes(b"{L\x00\x00"),
        lambda d: (d / "booster.json").unlink(),
        _more_features,
        _cyclic,
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    classifier = xgboost(max_rounds=3)
    classifier.train(*blobs({"a": 30, "b": 30}))
    classifier.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelCorrupt):
        xgboost().load(tmp_path)
