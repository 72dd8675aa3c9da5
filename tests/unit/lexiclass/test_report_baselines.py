"""What simpler ways reach is measured on the same documents, or the reason is said."""

import numpy as np
import pytest

from lexiclass import Pipeline, PipelineSpec, Predictions
from lexiclass.report.baselines import (
    MAX_CLASSES,
    Material,
    baselines_of,
    sample,
)
from lexiclass.report.model import Baseline
from tests.support.made_up_reports import collect, made_up, report_of

_BAG = PipelineSpec(feature_extractor="bow")


def texts_of(labels: list[str], seed: int) -> list[str]:
    """Texts of three words of their class and five of all."""
    random = np.random.default_rng(seed)
    return [
        " ".join(
            [f"{label}{random.integers(6)}" for _ in range(3)]
            + [f"word{random.integers(20)}" for _ in range(5)]
        )
        for label in labels
    ]


@pytest.fixture(scope="module")
def measured() -> dict[str, Baseline]:
    random = np.random.default_rng(0)
    training, test = (random.choice(["cat", "dog", "dog", "fish"], n).tolist() for n in (400, 300))
    pipeline = Pipeline(_BAG)
    counts = pipeline.tokenize([*texts_of(training, 1), *texts_of(test, 2)]).counts()
    pipeline.fit(texts_of(training, 1), training)
    outcomes = collect(test, pipeline.predict(texts_of(test, 2)))
    found = baselines_of(
        outcomes,
        spec=_BAG,
        training_counts={name: training.count(name) for name in ("cat", "dog", "fish")},
        material=Material(
            training=counts[:400], labels=training, test=counts[400:], rows=np.arange(300)
        ),
    )
    assert report_of(outcomes, baselines=found).baselines == found
    assert found[0].accuracy is not None
    assert found[0].accuracy.value == pytest.approx(np.mean([each == "dog" for each in test]))
    return {each.name: each for each in found}


def test_simple_ways_are_measured(measured: dict[str, Baseline]) -> None:
    assert list(measured) == ["majority_class", "nearest_document", "tfidf_linear"]
    for each in measured.values():
        assert each.missing is None
        assert each.accuracy is not None
        assert each.advantage is not None
        assert each.accuracy.low <= each.accuracy.value <= each.accuracy.high
        assert each.advantage.low <= each.advantage.value <= each.advantage.high
        assert each.num_documents == 300
        assert each.num_training_documents == 400
    accuracies = [each.accuracy.value for each in measured.values() if each.accuracy]
    assert accuracies == sorted(accuracies)
    assert accuracies[1] > 0.8


def test_the_advantage_is_over_the_same_documents(measured: dict[str, Baseline]) -> None:
    advantage = measured["majority_class"].advantage
    assert advantage is not None
    assert advantage.low > 0.3
    # A linear classifier of nearly the same weights is as good.
    linear = measured["tfidf_linear"].advantage
    assert linear is not None
    assert linear.low < 0 < linear.high


def test_what_is_not_at_hand_is_said() -> None:
    outcomes = collect(*made_up(30, 3))
    for each in baselines_of(
        outcomes, spec=_BAG, training_counts=None, material=None, missing="no index"
    ):
        assert each.missing == "no index"
        assert (each.accuracy, each.advantage, each.macro_f1) == (None, None, None)


def test_a_model_that_is_a_baseline_itself_is_no_baseline() -> None:
    outcomes = collect(*made_up(30, 3))
    *_, linear = baselines_of(outcomes, spec=PipelineSpec(), training_counts=None, material=None)
    assert linear.missing is not None
    assert "the model itself" in linear.missing


@pytest.mark.parametrize(("num_classes", "reason"), [(1, "one class"), (MAX_CLASSES + 1, "longer")])
def test_a_linear_classifier_has_two_classes_and_not_thousands(
    num_classes: int, reason: str
) -> None:
    labels = [f"c{number:03}" for number in range(num_classes)] * 2
    counts = Pipeline(_BAG).tokenize(labels).counts()
    outcomes = collect(["a", "b"], Predictions(("a", "b"), np.array([[1.0, 0], [0, 1]])))
    material = Material(training=counts, labels=labels, test=counts[:2], rows=np.arange(2))
    *_, nearest, linear = baselines_of(outcomes, spec=_BAG, training_counts=None, material=material)
    assert linear.missing is not None
    assert reason in linear.missing
    assert nearest.missing is None


def test_texts_without_a_word_in_common_are_predicted_as_the_most_frequent_class() -> None:
    counts = Pipeline(_BAG).tokenize(["x", "x", "y", "z", ""]).counts()
    outcomes = collect(["a", "b"], Predictions(("a", "b"), np.array([[1.0, 0], [0, 1]])))
    material = Material(
        training=counts[:3], labels=["a", "a", "b"], test=counts[3:], rows=np.arange(2)
    )
    _, nearest, _ = baselines_of(outcomes, spec=_BAG, training_counts=None, material=material)
    assert nearest.accuracy is not None
    assert nearest.accuracy.value == 0.5


def test_documents_without_any_word_are_told_only_by_how_frequent_classes_are() -> None:
    counts = Pipeline(_BAG).tokenize([""] * 4).counts()
    assert counts.shape == (4, 0)
    outcomes = collect(["a", "b"], Predictions(("a", "b"), np.array([[1.0, 0], [0, 1]])))
    material = Material(training=counts[:2], labels=["a", "b"], test=counts[2:], rows=np.arange(2))
    majority, *others = baselines_of(
        outcomes, spec=_BAG, training_counts={"a": 1, "b": 1}, material=material
    )
    assert majority.accuracy is not None
    for each in others:
        assert each.missing == "the tokenizer finds no word in any of the documents"


def test_a_sample_is_the_same_every_time() -> None:
    assert sample(5, 10).tolist() == [0, 1, 2, 3, 4]
    found = sample(1_000, 10)
    assert len(set(found.tolist())) == 10
    assert (found == sample(1_000, 10)).all()
    assert (np.diff(found) > 0).all()
