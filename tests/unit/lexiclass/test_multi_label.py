from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from lexiclass import (
    InvalidParameters,
    NoDocuments,
    Pipeline,
    PipelineSpec,
    Predictions,
    evaluate,
    evaluate_label_sets,
    read_manifest,
)
from lexiclass.plugins.classifiers.svm.machines import list_machines
from lexiclass.plugins.classifiers.svm.parameters import SvmParameters
from lexiclass.targets import Targets
from tests.support.easy_corpus import Corpus, MakeCorpus

CLASSES = ("a", "b", "c")
SETS = st.frozensets(st.sampled_from(CLASSES))


def tagged(corpus: Corpus) -> tuple[list[str], list[set[str] | set[Any]]]:
    """Give the easy texts a second label, and some of them none at all."""
    texts, label_sets = [], []
    for number, (text, label) in enumerate(zip(*corpus, strict=True)):
        urgent = number % 3 == 0
        texts.append(f"urgent {text}" if urgent else text)
        label_sets.append({label, "urgent"} if urgent else {label})
    for number in range(15):
        texts.append(f"the a of and in it {number}")
        label_sets.append(set())
    return texts, label_sets


def predictions(
    label_sets: Sequence[Collection[str]], threshold: float | None = 0.5
) -> Predictions:
    rows = [[0.9 if name in labels else 0.2 for name in CLASSES] for labels in label_sets]
    return Predictions(CLASSES, np.array(rows).reshape(-1, 3), threshold)


def test_documents_get_any_number_of_classes(
    corpus: Corpus, make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    texts, label_sets = tagged(corpus)
    report = pipeline.fit(texts, label_sets)
    assert (report.num_documents, report.num_classes) == (75, 4)
    texts, label_sets = tagged(make_corpus(seed=1))
    predicted = pipeline.predict(texts)
    found = evaluate_label_sets(label_sets, predicted)
    assert found["micro_f1"] > 0.9
    assert found["expected_calibration_error"] < 0.1
    assert not np.allclose(predicted.probabilities.sum(axis=1), 1)
    pipeline.save(tmp_path / "model")
    loaded = Pipeline.load(tmp_path / "model").predict(texts)
    np.testing.assert_array_equal(loaded.probabilities, predicted.probabilities)
    assert loaded.label_sets == predicted.label_sets


def test_the_threshold_is_stored(corpus: Corpus, tmp_path: Path) -> None:
    pipeline = Pipeline(PipelineSpec(multi_label=True, threshold=0.2))
    texts, label_sets = tagged(corpus)
    pipeline.fit(texts, label_sets)
    pipeline.save(tmp_path / "model")
    assert read_manifest(tmp_path / "model").spec.threshold == 0.2
    predicted = Pipeline.load(tmp_path / "model").predict(texts)
    assert predicted.threshold == 0.2
    assert replace(predicted, threshold=0.999).members.sum() < predicted.members.sum()


@pytest.mark.parametrize(
    "label_sets",
    [
        [{"a"}, {"b"}],
        [{"a", "b"}, set()],
        [{"a", "b"}, {"a"}],  # a is everywhere
        [set(), {"a"}, {"b"}, set()],
        [{"a", "rare"}, {"a"}, {"b"}, {"b"}, {"a", "b"}, {"a"}],
    ],
    ids=lambda sets: str(list(map(sorted, sets))),  # the same in every process
)
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 2.0}])
def test_any_label_sets_train(
    label_sets: list[set[str] | set[Any]] | list[set[str]],
    class_weight: dict[str, float] | str | None,
) -> None:
    texts = ["one fish", "two birds", "red fish", "blue birds", "old fish", "new birds"]
    texts = texts[: len(label_sets)]
    spec = PipelineSpec(multi_label=True, classifier_params={"class_weight": class_weight})
    pipeline = Pipeline(spec)
    pipeline.fit(texts, label_sets)
    probabilities = pipeline.predict([*texts, "", "unknown"]).probabilities
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_the_order_of_labels_and_documents_is_no_matter(
    corpus: Corpus,
) -> None:
    texts, label_sets = tagged(corpus)
    spec = PipelineSpec(multi_label=True)
    one, two = Pipeline(spec), Pipeline(spec)
    one.fit(texts, [sorted(labels) for labels in label_sets])
    two.fit(texts, [sorted(labels, reverse=True) for labels in label_sets])
    np.testing.assert_array_equal(
        one.predict(texts).probabilities, two.predict(texts).probabilities
    )
    assert one._training_digest == two._training_digest


def test_label_sets_of_single_predictions() -> None:
    found = predictions([["b"], ["a"]], threshold=None)
    assert found.label_sets == [("b",), ("a",)]
    assert predictions([[], ["a", "c"]]).label_sets == [(), ("a", "c")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=20))
def test_metrics_equal_scikit_learn(pairs: list[tuple[frozenset[str], frozenset[str]]]) -> None:
    true, predicted = pairs_of(pairs)
    found = evaluate_label_sets(true, predictions(predicted))
    seen = [name for name in CLASSES if any(name in labels for labels in (*true, *predicted))]
    matrices = [
        np.array([[name in labels for name in CLASSES] for labels in side])
        for side in pairs_of(pairs)
    ]
    assert found["subset_accuracy"] == pytest.approx(metrics.accuracy_score(*matrices))
    columns = [CLASSES.index(name) for name in seen]
    if seen:
        expected = metrics.hamming_loss(*(matrix[:, columns] for matrix in matrices))
        assert found["hamming_loss"] == pytest.approx(expected)
    for average, empty in (("micro", 0), ("macro", 0), ("samples", 1)):
        expected = metrics.precision_recall_fscore_support(
            *matrices,
            average=average,
            labels=columns if average == "macro" else None,
            zero_division=empty,
        )
        if not seen and average == "macro":
            expected = (0, 0, 0)
        keys = [f"{average.removesuffix('s')}_{name}" for name in ("precision", "recall", "f1")]
        assert [found[key] for key in keys] == pytest.approx(list(expected[:3]))
    assert [found["per_class_metrics"][name]["support"] for name in CLASSES] == matrices[0].sum(
        axis=0
    ).tolist()
    json.dumps(found)


def pairs_of(
    pairs: list[tuple[frozenset[str], frozenset[str]]],
) -> tuple[list[frozenset[str]], list[frozenset[str]]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def test_a_class_the_model_does_not_know_counts_as_missed() -> None:
    found = evaluate_label_sets([{"a", "new"}], predictions([{"a"}]))
    assert found["per_class_metrics"]["new"]["recall"] == 0
    assert found["subset_accuracy"] == 0
    assert found["hamming_loss"] == pytest.approx(1 / 2)


def test_each_kind_has_its_own_evaluation() -> None:
    with pytest.raises(InvalidParameters, match="use evaluate_label_sets"):
        evaluate(["a"], predictions([{"a"}]))
    with pytest.raises(InvalidParameters, match="needs a set of strings"):
        evaluate_label_sets(["ab"], predictions([{"a"}]))
    with pytest.raises(InvalidParameters, match="2 true labels and 1 predictions"):
        evaluate_label_sets([{"a"}, {"b"}], predictions([{"a"}]))
    with pytest.raises(NoDocuments):
        evaluate_label_sets([], predictions([]))


def test_machines_of_a_fold_lack_the_same_documents_and_have_two_kinds_left() -> None:
    source = np.random.default_rng(0)
    label_sets = [
        {"abc"[number % 3], "dee"[number % 3], *(f"tag {number}" for _ in range(number % 2))}
        for number in range(200)
    ]
    targets = Targets.encode(label_sets, multi_label=True)
    keys = source.integers(0, 150, 200).astype(np.uint64)
    machines = list_machines(targets, keys, SvmParameters())
    assert [machine.fold for machine in machines[: len(targets.classes)]] == [None] * 105
    folds: dict[int | None, list[int]] = {}
    for machine in machines[len(targets.classes) :]:
        members = np.delete(machine.members, machine.held_out)
        assert 0 < members.sum() < len(members)
        assert folds.setdefault(machine.fold, machine.held_out.tolist()) == [*machine.held_out]
    # Every document once, though half of them have a class that is theirs alone, and doubles
    # together.
    assert sorted(chain.from_iterable(folds.values())) == list(range(200))
    assert len(folds) == 10
    assert all(not set(keys[rows]) & set(np.delete(keys, rows)) for rows in folds.values())


def test_documents_with_a_class_of_their_own_calibrate_too(corpus: Corpus) -> None:
    texts, labels = corpus
    label_sets = [{label, f"{number}"} for number, label in enumerate(labels)]
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    assert pipeline.fit(texts, label_sets).num_calibration_documents == len(set(texts))


def test_a_class_that_all_documents_have_is_calibrated_like_others(corpus: Corpus) -> None:
    texts, labels = corpus
    label_sets = [{label, "all"} for label in labels]
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    pipeline.fit(texts, label_sets)
    place = pipeline.classes.index("all")
    probabilities = pipeline.predict(texts).probabilities[:, place]
    assert ((probabilities > 0.9) & (probabilities < 0.999)).all()


def test_documents_that_all_have_the_same_classes_calibrate(corpus: Corpus) -> None:
    texts, _ = corpus
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    fitted = pipeline.fit(texts, [{"a", "b"}] * len(texts))
    assert fitted.num_calibration_documents == len(set(texts))
