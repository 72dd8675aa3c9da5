"""Training labels that look wrong: confident learning, and copies that are labelled differently."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexiclass import InvalidParameters, ModelCorrupt, Pipeline, PipelineSpec
from lexiclass.calibration import Documents, Temperature
from lexiclass.folds import stratified_folds
from lexiclass.label_quality import (
    ConfidentJoint,
    HeldOut,
    Neighbour,
    Reason,
    TrainingEvidence,
    find_suspects,
    normalized_margins,
)
from lexiclass.label_quality.alike import conflicts
from lexiclass.manifest import EVIDENCE_FILE, text_digest
from lexiclass.near_duplicates import content_keys
from lexiclass.serialization import read_all_arrays, write_arrays
from lexiclass.targets import Targets
from lexiclass.tokens import TokenMatrix
from tests.support.easy_corpus import make_corpus


def held_out_of(probabilities: NDArray[np.float64], labels: NDArray[np.int32]) -> HeldOut:
    """All probabilities, as a training keeps them."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return HeldOut(
        numbers=np.arange(len(labels)),
        own=probabilities[np.arange(len(labels)), labels].astype(np.float32),
        classes=order.astype(np.int32),
        probabilities=np.take_along_axis(probabilities, order, axis=1).astype(np.float32),
    )


def noisy(seed: int, num_classes: int = 5, size: int = 600) -> tuple[Any, NDArray[np.int32]]:
    """Probabilities that are mostly right of labels of which a tenth are wrong."""
    source = np.random.default_rng(seed)
    true = source.integers(0, num_classes, size)
    sharpness = source.uniform(0.5, 4, num_classes)
    scores = source.normal(size=(size, num_classes))
    scores[np.arange(size), true] += sharpness[true]
    # Exact in single precision, so that two implementations compare the same numbers.
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    probabilities = probabilities.astype(np.float32).astype(np.float64)
    labels = np.where(source.random(size) < 0.1, source.integers(0, num_classes, size), true)
    return probabilities, labels.astype(np.int32)


def test_the_figures_are_those_that_cleanlab_gave() -> None:
    """Recorded of cleanlab 2.9.0, and held against it anew in the next test."""
    probabilities, labels = noisy(0)
    held_out = held_out_of(probabilities, labels)
    joint = ConfidentJoint.of(held_out, labels, 5)

    np.testing.assert_allclose(
        joint.thresholds, [0.76094, 0.58544, 0.29036, 0.71098, 0.5953], atol=1e-5
    )
    cells = np.zeros((5, 5), dtype=int)
    counted = joint.believed >= 0
    np.add.at(cells, (labels[counted], joint.believed[counted]), 1)
    assert cells.tolist() == [
        [75, 1, 1, 1, 2], [2, 58, 3, 1, 3], [4, 5, 50, 2, 4], [0, 2, 1, 76, 3], [3, 1, 11, 0, 75],
    ]  # fmt: skip
    assert np.flatnonzero(joint.is_suspect)[:8].tolist() == [19, 28, 69, 71, 89, 91, 97, 124]
    np.testing.assert_allclose(
        normalized_margins(held_out, labels)[:6],
        [0.22769, 0.10823, 0.33259, 0.31385, 0.32004, 0.07298],
        atol=1e-5,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(10))
def test_the_figures_are_those_of_cleanlab(seed: int) -> None:
    count = pytest.importorskip("cleanlab.count", reason="pip install cleanlab")
    rank = pytest.importorskip("cleanlab.rank")
    probabilities, labels = noisy(seed)
    held_out = held_out_of(probabilities, labels)
    joint = ConfidentJoint.of(held_out, labels, 5)

    np.testing.assert_allclose(
        joint.thresholds, count.get_confident_thresholds(labels, probabilities), rtol=1e-6
    )
    np.testing.assert_allclose(
        1 - normalized_margins(held_out, labels),
        rank.get_normalized_margin_for_each_label(labels, probabilities),
        atol=1e-6,
    )
    # Where several classes are believed cleanlab takes the most probable one of all, even if it is
    # not believed itself; the paper, and so we, the most probable one of those.
    believed = probabilities >= joint.thresholds - 1e-6
    alike = believed[np.arange(len(labels)), probabilities.argmax(axis=1)] | (
        believed.sum(axis=1) <= 1
    )
    counts, wrong = count.compute_confident_joint(
        labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    ours = set(np.flatnonzero(joint.is_suspect & alike).tolist())
    assert ours == {row for row in np.array(wrong).tolist() if alike[row]}
    assert len(ours) > 20
    # Rounded there to whole documents of each class.
    calibrated = count.calibrate_confident_joint(counts, labels)
    assert joint.num_wrong() == pytest.approx(len(labels) - np.trace(calibrated), abs=2.5)


def test_the_figures_are_those_of_a_count_by_hand() -> None:
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]]
    )
    labels = np.array([0, 0, 0, 1, 1, 1], dtype=np.int32)
    held_out = held_out_of(probabilities, labels)
    joint = ConfidentJoint.of(held_out, labels, 2)

    # Means of 0.9, 0.8, 0.1 and of 0.7, 0.8, 0.4.
    np.testing.assert_allclose(joint.thresholds, [0.6, 1.9 / 3], rtol=1e-6)
    assert joint.believed.tolist() == [0, 0, 1, 1, 1, 0]
    assert np.flatnonzero(joint.is_suspect).tolist() == [2, 5]
    # One of three of each class.
    assert joint.num_wrong() == pytest.approx(2)
    np.testing.assert_allclose(
        normalized_margins(held_out, labels), [0.1, 0.2, 0.9, 0.3, 0.2, 0.6], atol=1e-6
    )


@given(st.permutations(range(5)), st.integers(0, 20))
def test_renaming_classes_changes_nothing(names: list[int], seed: int) -> None:
    probabilities, labels = noisy(seed, size=80)
    renamed = np.array(names)
    before = ConfidentJoint.of(held_out_of(probabilities, labels), labels, 5)
    moved = np.empty_like(probabilities)
    moved[:, renamed] = probabilities
    given_ = renamed[labels].astype(np.int32)
    after = ConfidentJoint.of(held_out_of(moved, given_), given_, 5)

    assert after.believed.tolist() == [
        -1 if column < 0 else names[column] for column in before.believed.tolist()
    ]
    assert after.num_wrong() == pytest.approx(before.num_wrong())


def test_of_documents_alike_the_rarer_label_is_suspect_and_of_two_the_less_believed() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, 2, -1], dtype=np.int32)
    labels = np.array([3, 3, 1, 0, 2, 4, 4, 0], dtype=np.int32)
    belief = np.array([0, 0, 0.9, 0.2, 0.7, 0.1, 0.1, 0])
    found = conflicts(groups, labels, belief)

    assert found.rows.tolist() == [2, 3]
    assert found.better.tolist() == [3, 2]
    np.testing.assert_allclose(found.scores, [2 / 3, 1 / 2])


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), max_size=40))
def test_a_group_has_suspects_if_and_only_if_its_labels_differ(rows: list[tuple[int, int]]) -> None:
    groups = np.array([group for group, _ in rows], dtype=np.int32)
    labels = np.array([label for _, label in rows], dtype=np.int32)
    found = conflicts(groups, labels, np.zeros(len(rows)))

    several = {group for group in groups.tolist() if len(set(labels[groups == group])) > 1} - {-1}
    assert {int(groups[row]) for row in found.rows} == several
    assert all(labels[row] != better for row, better in zip(found.rows, found.better, strict=True))


def trained(texts: list[str], labels: list[str], **spec: Any) -> tuple[Pipeline, TrainingEvidence]:
    pipeline = Pipeline(PipelineSpec(**{"feature_extractor": "tfidf", **spec}))
    pipeline.fit(texts, labels)
    assert pipeline.evidence is not None
    return pipeline, pipeline.evidence


def test_planted_errors_are_found_with_the_class_that_was_there_before() -> None:
    texts, labels = make_corpus(per_class=60)
    planted = {7: "science", 50: "sports", 101: "business"}
    wrong = {row: name for row, name in planted.items() if labels[row] != name}
    given_ = [wrong.get(row, label) for row, label in enumerate(labels)]
    pipeline, evidence = trained(texts, given_)
    report = find_suspects(evidence, pipeline.classes)

    assert report.num_documents == report.num_held_out == 180
    found = {suspect.document: suspect for suspect in report.suspects}
    assert len(wrong) >= 2
    assert found.keys() == wrong.keys()
    assert report.num_wrong == pytest.approx(len(wrong), abs=0.5)
    for row, suspect in found.items():
        assert (suspect.label, suspect.suggested) == (wrong[row], labels[row])
        assert suspect.reasons == (Reason.CONFIDENT_LEARNING,)
        assert suspect.label_probability is not None
        assert suspect.suggested_probability is not None
        assert suspect.score > 0.5
        assert suspect.suggested_probability > suspect.label_probability


def test_a_wrong_label_is_not_confirmed_by_a_copy_of_its_text() -> None:
    texts, labels = make_corpus(per_class=60)
    row = labels.index("sports")
    # The same text, and one with a word more, that are labelled as wrongly as the first.
    near = texts[row].rstrip(".") + " the."
    pipeline, evidence = trained(
        [*texts, texts[row], near], ["science" if n == row else x for n, x in enumerate(labels)]
        + ["science", "science"],
    )  # fmt: skip
    found = {each.document: each for each in find_suspects(evidence, pipeline.classes).suspects}

    assert {row, len(texts), len(texts) + 1} <= found.keys()
    assert all(found[each].suggested == "sports" for each in (row, len(texts), len(texts) + 1))


@pytest.mark.parametrize("classes", [1, 2])
def test_near_duplicates_are_in_one_fold_whatever_their_labels(classes: int) -> None:
    texts, _ = make_corpus(per_class=40)
    doubled = [*texts, *texts, *(f"{text} the" for text in texts)]
    tokens = TokenMatrix.from_lists([text.split() for text in doubled])
    keys = content_keys(tokens.counts().astype(np.float32))
    source = np.random.default_rng(0)
    codes = source.integers(0, classes + 1, len(doubled))
    folds = stratified_folds(codes, 5, 0, keys)

    assert (keys[: len(texts)] == keys[len(texts) : 2 * len(texts)]).all()
    assert len(np.unique(folds)) == 5
    for key in np.unique(keys):
        assert len(set(folds[keys == key])) == 1


def test_copies_with_another_label_are_named_with_their_documents() -> None:
    texts, labels = make_corpus(per_class=20)
    row = labels.index("sports")
    other = texts[row].rstrip(".") + " on."
    pipeline, evidence = trained(
        [*texts, texts[row], other], [*labels, "business", "sports"], classifier="svm"
    )
    report = find_suspects(evidence.named(np.arange(100, 162)), pipeline.classes)
    (suspect,) = [each for each in report.suspects if each.document == 160]

    assert (suspect.label, suspect.suggested) == ("business", "sports")
    assert Reason.EQUAL_TEXT in suspect.reasons
    assert Reason.NEAR_DUPLICATE not in suspect.reasons
    assert suspect.neighbours == (Neighbour(100 + row, "sports"), Neighbour(161, "sports"))
    assert suspect.num_neighbours == 2


def test_a_document_without_a_token_shifts_no_other() -> None:
    texts, labels = make_corpus(per_class=60)
    row = labels.index("sports")
    labels[row] = "science"
    pipeline, evidence = trained(["", "  ", *texts, ""], ["sports", "science", *labels, "sports"])
    report = find_suspects(evidence, pipeline.classes)

    assert report.num_documents == len(texts)
    assert [suspect.document for suspect in report.suspects] == [row + 2]


def test_the_most_suspect_are_listed_and_all_are_counted() -> None:
    texts, labels = make_corpus(per_class=60)
    labels[::10] = ["science" if label != "science" else "sports" for label in labels[::10]]
    pipeline, evidence = trained(texts, labels)
    every = find_suspects(evidence, pipeline.classes)
    some = find_suspects(evidence, pipeline.classes, most=3)

    assert every.num_suspects == len(every.suspects) == some.num_suspects
    assert some.suspects == every.suspects[:3]
    scores = [suspect.score for suspect in every.suspects]
    assert scores == sorted(scores, reverse=True)


def test_a_model_keeps_the_evidence_under_the_documents_ids(tmp_path: Path) -> None:
    texts, labels = make_corpus(per_class=20)
    labels[0] = "science" if labels[0] != "science" else "sports"
    pipeline, evidence = trained(texts, labels)
    ids = np.arange(len(texts), dtype=np.int64) * 3 + 7
    one = pipeline.save(tmp_path / "one", document_ids=ids)
    two = pipeline.save(tmp_path / "two")

    assert EVIDENCE_FILE in one.files
    # What documents are called decides no prediction.
    assert one.model_digest == two.model_digest
    assert one.files[EVIDENCE_FILE] != two.files[EVIDENCE_FILE]
    read = TrainingEvidence.load(tmp_path / "one", 3)
    assert read is not None
    assert find_suspects(read, one.classes) == find_suspects(evidence.named(ids), one.classes)
    assert Pipeline.load(tmp_path / "one").evidence is None
    # Nobody can look for a text in it.
    content = (tmp_path / "one" / EVIDENCE_FILE).read_bytes()
    assert text_digest(texts[3]).encode() not in content
    assert bytes.fromhex(text_digest(texts[3])) not in content
    with pytest.raises(InvalidParameters, match="one for each training document"):
        pipeline.save(tmp_path / "three", document_ids=ids[:5])


@pytest.mark.parametrize("params", [{"calibration": "none"}, {}])
def test_documents_with_several_classes_or_none_held_out_have_no_suspects(
    params: dict[str, Any], tmp_path: Path
) -> None:
    texts, labels = make_corpus(per_class=20)
    if params:
        pipeline, evidence = trained(texts, labels, classifier_params=params)
        report = find_suspects(evidence, pipeline.classes)
        assert (report.num_held_out, report.suspects, report.num_wrong) == (0, [], 0)
        return
    pipeline = Pipeline(PipelineSpec(multi_label=True))
    pipeline.fit(texts, [{label} for label in labels])
    assert pipeline.evidence is None
    pipeline.save(tmp_path / "model")
    assert TrainingEvidence.load(tmp_path / "model", 3) is None


def broken(name: str, value: Any) -> Any:
    def change(arrays: dict[str, NDArray[Any]]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].flat[0] = value

    return change


DAMAGES = {
    "a class beyond the last": broken("labels", 3),
    "a class below the first": broken("classes", -1),
    "a probability above 1": broken("own", 1.5),
    "a probability that is none": broken("probabilities", np.nan),
    "a document below the first": broken("documents", -1),
    "a document that is not there": broken("numbers", 10**9),
    "one held out twice": broken("numbers", 1),
    "a group of nobody": broken("copies", 10**6),
    "a group below none": broken("doubles", -2),
    "a label less": lambda arrays: arrays.update(labels=arrays["labels"][1:]),
    "a probability less": lambda arrays: arrays.update(own=arrays["own"][1:]),
    "a class less": lambda arrays: arrays.update(classes=arrays["classes"][:, 1:]),
    "another type": lambda arrays: arrays.update(labels=arrays["labels"].astype(np.int64)),
    "an array less": lambda arrays: arrays.pop("doubles"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_what_was_kept_is_corrupt(damage: str, tmp_path: Path) -> None:
    texts, labels = make_corpus(per_class=10)
    _, evidence = trained(texts, labels)
    evidence.save(tmp_path)
    arrays = {name: np.array(value) for name, value in
              read_all_arrays(tmp_path / EVIDENCE_FILE).items()}  # fmt: skip
    DAMAGES[damage](arrays)
    write_arrays(tmp_path / EVIDENCE_FILE, arrays)

    with pytest.raises(ModelCorrupt, match=EVIDENCE_FILE):
        TrainingEvidence.load(tmp_path, 3)
    (tmp_path / EVIDENCE_FILE).write_bytes(b"no safetensors")
    with pytest.raises(ModelCorrupt, match=EVIDENCE_FILE):
        TrainingEvidence.load(tmp_path, 3)


def test_what_rounding_makes_of_a_probability_is_one(tmp_path: Path) -> None:
    texts, labels = make_corpus(per_class=10)
    _, evidence = trained(texts, labels)
    held_out = evidence.held_out
    held_out.own[:] = held_out.probabilities[:, 0] = np.nextafter(np.float32(1), np.float32(2))
    held_out.own[0] = 0
    held_out.classes[0, 0] = (evidence.labels[held_out.numbers[0]] + 1) % 3
    evidence.save(tmp_path)

    loaded = TrainingEvidence.load(tmp_path, 3)

    assert loaded is not None
    suspects = find_suspects(loaded, ["a", "b", "c"]).suspects
    assert [suspect.score for suspect in suspects] == [1.0]


@pytest.mark.slow
def test_five_thousand_classes_take_a_few_numbers_a_document() -> None:
    classes, size = 5_000, 4_000
    source = np.random.default_rng(0)
    labels = [f"c{code:04}" for code in source.integers(0, classes, size)] + [
        f"c{code:04}" for code in range(classes)
    ]
    targets = Targets.encode(labels, multi_label=False).take(np.arange(size))
    scores = source.normal(size=(size, classes))
    documents = Documents(
        scores=scores, evidence=np.full(size, 9.0), targets=targets, numbers=np.arange(size)
    )
    tracemalloc.start()
    held_out = HeldOut.of(Temperature(), documents)
    assert held_out is not None
    joint = ConfidentJoint.of(held_out, targets.strata.astype(np.int32), classes)
    joint.num_wrong()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # The scores alone are 160 MB.
    assert peak < 60e6
    assert held_out.probabilities.shape == (size, 10)
    sums = np.exp(scores[:3] - scores[:3].max(axis=1, keepdims=True))
    best = np.sort(sums / sums.sum(axis=1, keepdims=True), axis=1)[:, :-11:-1]
    np.testing.assert_allclose(held_out.probabilities[:3], best, rtol=1e-5)


@pytest.mark.parametrize(
    ("held_out", "expected"), [("enough", range(3_000, 3_300)), ("all", [4_000])]
)
def test_all_documents_are_held_out_where_that_is_asked_for(
    held_out: str, expected: Sequence[int]
) -> None:
    source = np.random.default_rng(0)
    texts = [
        " ".join(f"w{word}" for word in words) for words in source.integers(0, 300, (4_000, 6))
    ]
    labels = ["ab"[number % 2] for number in range(4_000)]
    params = {"held_out": held_out, "calibration_folds": 10, "max_iter": 3}
    _, evidence = trained(texts, labels, classifier_params=params)

    assert len(evidence.held_out) in expected
