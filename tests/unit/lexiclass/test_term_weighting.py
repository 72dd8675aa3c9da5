"""Terms that speak for a class count more, by what a machine's own documents say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import sparse

from lexiclass import ModelCorrupt, Pipeline, PipelineSpec, PluginContext, default_registry
from lexiclass.calibration import Documents
from lexiclass.plugins.classifiers.out_of_fold import Fold, Machine, OutOfFoldScores
from lexiclass.plugins.classifiers.svm import classifier as svm_classifier
from lexiclass.plugins.classifiers.svm.classifier import SvmClassifier
from lexiclass.plugins.classifiers.svm.term_weighting import RowScaling, term_weights
from lexiclass.plugins.training_rows import Relearn, TrainingRows
from lexiclass.serialization import read_all_arrays, read_terms, write_arrays

Counts = NDArray[np.int64]

rows_of_counts = arrays(
    np.int64, st.tuples(st.integers(2, 8), st.just(6)), elements=st.integers(0, 3)
)


def weights(counts: Counts, members: NDArray[np.bool_], strength: float = 0.3) -> NDArray[Any]:
    rows = sparse.csr_array(counts.astype(np.float32))
    return term_weights(rows, sparse.csr_array(members), strength)


def members_of(codes: list[int], num_classes: int) -> NDArray[np.bool_]:
    return np.asarray(np.array(codes)[:, np.newaxis] == np.arange(num_classes))


@given(rows_of_counts, st.data())
def test_a_weight_is_by_the_class_that_a_feature_speaks_for_most(
    counts: Counts, data: st.DataObject
) -> None:
    members = data.draw(arrays(np.bool_, (len(counts), 3)))
    found = weights(counts, members)
    there = counts > 0
    prior_size = 0.5 * max(1, there.any(axis=0).sum())
    expected = np.ones(counts.shape[1])
    for member in members.T:
        own, others = there[member].sum(axis=0), there[~member].sum(axis=0)
        share = (own + 0.5) / (own.sum() + prior_size)
        share_elsewhere = (others + 0.5) / (others.sum() + prior_size)
        if not member.all():
            here = 1 + 0.3 * np.log(share / share_elsewhere)
            expected = np.where(own > 0, np.maximum(expected, here), expected)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@given(rows_of_counts, st.data())
def test_neither_the_order_of_documents_nor_that_of_classes_matters(
    counts: Counts, data: st.DataObject
) -> None:
    members = data.draw(arrays(np.bool_, (len(counts), 3)))
    order = data.draw(st.permutations(range(len(counts))))
    classes = data.draw(st.permutations(range(3)))
    np.testing.assert_array_equal(
        weights(counts[order], members[order][:, classes]), weights(counts, members)
    )


def test_what_every_document_has_counts_once_and_what_one_class_has_counts_more() -> None:
    counts = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]])
    everywhere, *of_a_class = weights(counts, members_of([0, 0, 1, 1], 2))
    assert everywhere == 1
    assert min(of_a_class) > 1.2


def test_a_fold_is_weighed_by_its_own_documents() -> None:
    counts = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1], [1, 0, 1], [1, 1, 0]])
    members = members_of([0, 0, 1, 1, 0, 1], 2)
    rows = sparse.csr_array(counts.astype(np.float32))

    def scaling(members: NDArray[np.bool_]) -> RowScaling:
        fold = Fold(
            TrainingRows(rows),
            np.array([4, 5]),
            lambda seen, kept: RowScaling.learn(
                seen, sparse.csr_array(members[kept]), strength=0.3, normalize=True
            ),
        )
        return fold.scaling

    told_otherwise = members.copy()
    told_otherwise[4:] = ~told_otherwise[4:]
    own, other = scaling(members).weights, scaling(told_otherwise).weights
    assert own is not None
    assert other is not None
    np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(own, weights(counts[:4], members[:4]))


@pytest.mark.parametrize("num_processes", [1, 3])
@pytest.mark.parametrize("multi_label", [False, True])
def test_held_out_documents_are_seen_as_by_a_machine_that_has_never_had_them(
    monkeypatch: pytest.MonkeyPatch, num_processes: int, multi_label: bool
) -> None:
    source = np.random.default_rng(0)
    counts = source.integers(0, 3, (60, 8)) * (source.random((60, 8)) < 0.5)
    counts[:, 0] = 1
    members = members_of([int(number) for number in source.integers(0, 3, 60)], 3)
    rows = sparse.csr_array(counts.astype(np.float32))
    asked = []

    class Asked(OutOfFoldScores[RowScaling]):
        def add(
            self,
            machine: Machine,
            weights: NDArray[np.float32],
            intercept: float,
            scaling: RowScaling,
        ) -> None:
            super().add(machine, weights, intercept, scaling)
            asked.append((machine, weights, intercept, scaling))

        def documents(self) -> Documents:
            found = super().documents()
            scored.append(found)
            return found

    scored: list[Documents] = []
    monkeypatch.setattr(svm_classifier, "OutOfFoldScores", Asked)
    monkeypatch.setattr(svm_classifier, "_WORTH_A_PROCESS", 0)
    context = PluginContext(multi_label=multi_label, num_processes=num_processes)
    machine_of_classes = default_registry().create(SvmClassifier, "svm", {}, context)
    labels = [("abc"[column] for column in np.flatnonzero(row)) for row in members]

    def relearned(kept: NDArray[np.bool_]) -> Relearn:
        # As where the last word is the rarer the more documents there are.
        times = np.ones(8, np.float32)
        times[-1] = kept.sum()
        return lambda seen: sparse.csr_array(seen.multiply(times))

    machine_of_classes.fit(
        TrainingRows(rows, relearned),
        [list(names) if multi_label else next(names) for names in labels],
    )
    (documents,) = scored
    assert documents.numbers is not None
    expected = np.full((60, 3), np.nan)
    groups = np.column_stack((members, ~members.any(axis=1)))
    for machine, plane, intercept, scaling in asked:
        kept = np.ones(60, dtype=np.bool_)
        kept[machine.held_out] = False
        own = RowScaling.learn(
            rows[kept], sparse.csr_array(groups[kept]), strength=0.3, normalize=True
        )
        np.testing.assert_array_equal(scaling.weights, own.weights)
        seen = own(relearned(kept)(rows[machine.held_out]))
        expected[machine.held_out, machine.columns[0]] = seen @ plane + intercept
    np.testing.assert_allclose(documents.scores, expected[documents.numbers], rtol=1e-5)
    assert not np.isnan(documents.scores).any()


def shop(num: int, seed: int) -> tuple[list[str], list[str]]:
    """Write texts of two classes, in which one word of six tells which."""
    source = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(num):
        label = "ab"[number % 2]
        own = [f"{label}{source.integers(30)}"]
        common = [f"w{word}" for word in source.zipf(1.4, 5) % 200]
        texts.append(" ".join([*own, *common]))
        labels.append(label)
    return texts, labels


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("weighed") / "model"
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(*shop(200, seed=0))
    pipeline.save(directory)
    return directory


@pytest.mark.parametrize("extractor", ["bow", "tfidf"])
def test_words_that_tell_a_class_are_heard_among_others(extractor: str) -> None:
    tested, truth = shop(1_000, seed=1)

    def right(strength: float) -> int:
        spec = PipelineSpec(
            feature_extractor=extractor, classifier_params={"term_weighting": strength}
        )
        pipeline = Pipeline(spec)
        pipeline.fit(*shop(200, seed=0))
        pairs = zip(pipeline.predict(tested).labels, truth, strict=True)
        return sum(found == label for found, label in pairs)

    assert right(0.3) > right(0.0)


def test_a_stored_model_predicts_as_the_one_that_was_trained(saved: Path) -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(*shop(200, seed=0))
    tested, _ = shop(50, seed=2)
    np.testing.assert_array_equal(
        Pipeline.load(saved).predict(tested).probabilities, pipeline.predict(tested).probabilities
    )


def test_a_model_of_features_that_count_alike_has_no_weights(tmp_path: Path) -> None:
    pipeline = Pipeline(PipelineSpec(classifier_params={"term_weighting": 0}))
    pipeline.fit(*shop(40, seed=0))
    pipeline.save(tmp_path / "model")
    stored = read_all_arrays(tmp_path / "model/classifier/planes.safetensors")
    assert set(stored) == {"weights", "intercepts"}


@pytest.mark.parametrize("spoil", [lambda w: w[:-1], lambda w: w * np.nan, lambda w: w - 1])
def test_weights_that_no_feature_has_are_refused(saved: Path, tmp_path: Path, spoil: Any) -> None:
    pipeline = Pipeline.load(saved)
    arrays_ = dict(read_all_arrays(saved / "classifier/planes.safetensors"))
    arrays_["term_weights"] = spoil(np.array(arrays_["term_weights"]))
    for name in ("classes.json", "calibrator.json"):
        (tmp_path / name).write_bytes((saved / "classifier" / name).read_bytes())
    write_arrays(tmp_path / "planes.safetensors", arrays_)
    classifier = pipeline._classifier
    with pytest.raises(ModelCorrupt, match=r"planes\.safetensors"):
        classifier.load(tmp_path)


def test_words_of_documents_without_a_class_are_heard_too(tmp_path: Path) -> None:
    texts, labels = shop(200, seed=0)
    sets = [[label] if label == "a" else [] for label in labels]
    pipeline = Pipeline(
        PipelineSpec(
            multi_label=True,
            feature_extractor="tfidf",
            feature_extractor_params={"ngram_range": (1, 1)},
        )
    )
    pipeline.fit([*texts, "c1"], [*sets, ["c"]])
    pipeline.save(tmp_path / "model")
    found = read_all_arrays(tmp_path / "model/classifier/planes.safetensors")["term_weights"]
    names = read_terms(tmp_path / "model/feature_extractor/terms.json")
    assert [name for name in names if name.startswith("b")]
    assert all(found[column] > 1.1 for column, name in enumerate(names) if name.startswith("b"))
