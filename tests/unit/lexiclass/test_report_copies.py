"""Copies of test documents say as much as one: in comparisons, in calibration, of baselines."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexiclass import Predictions, expected_calibration_error
from lexiclass.report.baselines import baselines_of
from lexiclass.report.comparison import compare_predictions
from lexiclass.report.comparison_model import ComparedFigure, Comparison
from lexiclass.report.copies import swapped_p_value
from lexiclass.report.model import Report
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.paired import compare
from lexiclass.report.paired_confusion import PairedConfusion
from lexiclass.report.reliability import debiased_calibration_error, perfect_band, reliability_curve
from lexiclass.spec import PipelineSpec
from lexiclass_core.gates import GateFigures, Gates, Outcome, judge
from lexiclass_worker.jobs.gating import OtherVersion
from lexiclass_worker.ml.gating import calibration_figures, compared_with, difference_figures
from tests.support.made_up_reports import collect, made_up, report_of
from tests.support.variants import examples

triples = st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=30)


def compared(drawn: list[tuple[str, str, str]], copies: int = 1, **given: Any) -> Comparison:
    true, first, second = (list(column) * copies for column in zip(*drawn, strict=True))
    return compare_predictions(true, first, second, **given)


def figures(found: Comparison) -> list[ComparedFigure]:
    return [found.accuracy, found.macro_f1, *found.classes]


def of_figure(figure: ComparedFigure) -> tuple[float, ...]:
    difference = figure.difference
    return figure.first, figure.second, difference.value, difference.low, difference.high


@settings(max_examples=examples(30))
@given(triples, st.integers(2, 12))
def test_as_many_copies_of_every_document_change_no_comparison(
    drawn: list[tuple[str, str, str]], copies: int
) -> None:
    once = compared(drawn)
    found = compared(drawn, copies, groups=np.tile(np.arange(len(drawn)), copies))

    assert (found.verdict, found.documents_needed) == (once.verdict, once.documents_needed)
    assert found.num_documents == copies * once.num_documents
    for each, expected in zip(figures(found), figures(once), strict=True):
        assert each.p_value == pytest.approx(expected.p_value, rel=1e-9)
        assert of_figure(each) == pytest.approx(of_figure(expected), abs=1e-9)


@settings(max_examples=examples(30))
@given(triples, st.randoms(use_true_random=False))
def test_documents_that_are_all_in_groups_of_their_own_are_compared_as_ever(
    drawn: list[tuple[str, str, str]], random: Any
) -> None:
    groups = np.array(random.sample(range(1_000), len(drawn)))
    assert compared(drawn, groups=groups) == compared(drawn)


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(triples.map(lambda drawn: drawn[0]), st.integers(0, 8)), min_size=1))
def test_figures_are_of_all_documents_and_lie_in_their_intervals_whatever_the_groups(
    drawn: list[tuple[tuple[str, str, str], int]],
) -> None:
    rows, groups = zip(*drawn, strict=True)
    plain = compared(list(rows))
    found = compared(list(rows), groups=np.array(groups))

    for each, expected in zip(figures(found), figures(plain), strict=True):
        assert of_figure(each)[:3] == of_figure(expected)[:3]
        difference = each.difference
        assert difference.low - 1e-12 <= difference.value <= difference.high + 1e-12
        assert 0 < each.p_value <= 1
    # Nothing is surer of the accuracy for documents that are nearly equal.
    accuracy, narrower = found.accuracy.difference, plain.accuracy.difference
    assert accuracy.high - accuracy.low >= narrower.high - narrower.low - 1e-12


def test_two_lost_texts_are_two_however_often_they_are_there() -> None:
    lost = [("a", "a", "b")] * 2
    kept = [("a", "a", "a"), ("b", "b", "b")] * 99
    once = compared(lost + kept)
    # The lost ones alone are there ten times.
    groups = np.concatenate((np.repeat([0, 1], 10), np.arange(2, 200)))
    found = compared(lost[:1] * 20 + kept, groups=groups)

    assert once.accuracy.p_value == found.accuracy.p_value == 0.5
    assert found.verdict == "cannot_tell"
    assert found.macro_f1.p_value > 0.3
    assert all(each.p_value > 0.3 for each in found.classes)
    assert found.accuracy.difference.value == pytest.approx(-20 / 218)
    assert found.accuracy.difference.high > 0
    assert "different test documents" in found.message
    assert once.documents_needed is not None
    assert found.documents_needed is not None
    assert found.documents_needed > 200
    # Nor do copies of what both know make it surer.
    groups = np.concatenate((np.arange(200), np.full(1_000, 199)))
    found = compared(lost + kept + kept[-1:] * 1_000, groups=groups)
    assert found.accuracy.p_value == 0.5
    assert found.accuracy.difference.low < -0.01


@pytest.mark.slow_variants
@pytest.mark.parametrize("largest", [30, 200])
def test_differences_hold_the_truth_where_one_text_is_there_often(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.report.paired.PERMUTATIONS", 10)
    random, held, sets = np.random.default_rng(largest), np.zeros(2), 300
    # Both models are as good, and differ on one text in three.
    kinds = [("a", "a", "a"), ("b", "b", "b")] * 4
    kinds += [("a", "a", "b"), ("a", "b", "a"), ("b", "a", "b"), ("b", "b", "a")]
    groups = np.append(np.zeros(largest - 1, dtype=np.intp), np.arange(100))
    for _ in range(sets):
        drawn = random.integers(len(kinds), size=100)[groups].tolist()
        true, first, second = zip(*(kinds[each] for each in drawn), strict=True)
        found = compare(PairedConfusion.of(true, first, second, groups=groups))
        held += [
            figure.interval.low <= 0 <= figure.interval.high
            for figure in (found.accuracy, found.macro_f1)
        ]
    assert (held / sets >= 0.93).all(), held / sets


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 3)), min_size=1, max_size=4),
)
def test_the_test_of_groups_is_the_exact_one(kinds: list[tuple[int, int]]) -> None:
    net = [size for size, number in kinds for _ in range(number)]
    at_least = [
        abs(sum(size * sign for size, sign in zip(net, signs, strict=True))) >= abs(sum(net))
        for signs in product((1, -1), repeat=len(net))
    ]
    sizes, numbers = (np.array(column) for column in zip(*kinds, strict=True))
    assert swapped_p_value(sizes, numbers) == pytest.approx(np.mean(at_least), rel=1e-9)


@pytest.mark.slow_variants
@pytest.mark.parametrize("figure", [expected_calibration_error, debiased_calibration_error])
def test_a_perfect_model_is_in_its_band_on_copies_too(
    figure: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.report.reliability.SIMULATIONS", 100)
    random, inside = np.random.default_rng(3), 0
    for _ in range(60):
        confidence = random.beta(4, 1, 200)
        right = random.random(200) < confidence
        band = perfect_band(figure, np.tile(confidence, 10), np.tile(np.arange(200), 10))
        inside += figure(np.tile(confidence, 10), np.tile(right, 10)) <= band.high
    assert inside >= 51


def test_the_band_of_copies_is_that_of_one_of_each() -> None:
    confidence = np.random.default_rng(4).beta(4, 1, 150)
    groups = np.random.default_rng(4).permutation(150)
    once = perfect_band(expected_calibration_error, confidence)
    assert perfect_band(expected_calibration_error, confidence, groups) == once
    found = perfect_band(expected_calibration_error, np.repeat(confidence, 7), np.repeat(groups, 7))
    assert found == pytest.approx(once)


def test_the_curve_of_copies_is_that_of_one_of_each() -> None:
    random = np.random.default_rng(5)
    confidence = random.beta(4, 1, 300)
    right, groups = random.random(300) < confidence, random.permutation(300)
    once = reliability_curve(confidence, right)
    assert reliability_curve(confidence, right, groups) == once
    found = reliability_curve(np.tile(confidence, 4), np.tile(right, 4), np.tile(groups, 4))
    for each, expected in zip(found, once, strict=True):
        assert each.num_documents == 4 * expected.num_documents
        assert each.model_dump(exclude={"num_documents"}) == pytest.approx(
            expected.model_dump(exclude={"num_documents"})
        )


def copied(labels: list[str], predictions: Predictions, copies: int) -> Outcomes:
    return collect(
        labels * copies,
        Predictions(predictions.classes, np.tile(predictions.probabilities, (copies, 1))),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_report_of_copies_judges_confidences_as_that_of_one_of_each(seed: int) -> None:
    labels, predictions = made_up(240, 3, seed)
    groups = np.arange(240)
    once = report_of(copied(labels, predictions, 1), groups=groups)
    found = report_of(copied(labels, predictions, 10), groups=np.tile(groups, 10))

    assert judged(found) == judged(once)
    ours, theirs = found.calibration, once.calibration
    assert ours.debiased_calibration_error == theirs.debiased_calibration_error
    assert ours.expected_calibration_error.model_dump() == pytest.approx(
        theirs.expected_calibration_error.model_dump()
    )
    # Without groups nothing has changed.
    assert report_of(copied(labels, predictions, 1)).calibration == theirs


def judged(report: Report) -> tuple[list[tuple[str, bool]], list[str]]:
    classes = [(each.name, each.differs) for each in report.calibration.classes]
    copies = {"LX014"}
    return classes, [each.code for each in report.findings if each.code not in copies]


def test_a_class_does_not_differ_by_copies_of_few_mistakes() -> None:
    # Of 40 texts 4 are wrong where 2 were said to be, each is there ten times.
    probabilities = np.tile([0.95, 0.05], (40, 1))
    outcomes = copied(["a"] * 36 + ["b"] * 4, Predictions(("a", "b"), probabilities), 10)
    (alone,) = report_of(outcomes).calibration.classes
    (found,) = report_of(outcomes, groups=np.tile(np.arange(40), 10)).calibration.classes

    assert (alone.differs, found.differs) == (True, False)
    assert (found.num_documents, found.accuracy.value) == (400, 0.9)
    # Three texts are not enough to judge, however often they are there.
    few = copied(["a"] * 3, Predictions(("a", "b"), probabilities[:3]), 20)
    assert not report_of(few, groups=np.tile(np.arange(3), 20)).calibration.classes


def test_a_baseline_is_not_beaten_by_copies() -> None:
    # The model is right on three texts more than the most frequent class.
    labels = ["a"] * 40 + ["b"] * 3
    sure = np.array([[0.9, 0.1]] * 40 + [[0.1, 0.9]] * 3)
    advantages = []
    for copies, is_known in ((1, False), (10, False), (10, True)):
        majority, *_ = baselines_of(
            copied(labels, Predictions(("a", "b"), sure), copies),
            spec=PipelineSpec(),
            training_counts={"a": 10, "b": 5},
            material=None,
            groups=np.tile(np.arange(43), copies) if is_known else None,
        )
        assert majority.advantage is not None
        assert majority.accuracy is not None
        advantages.append((majority.accuracy, majority.advantage))
    once, taken_apart, found = advantages
    assert taken_apart[1].low > 0 >= once[1].low
    for each, expected in zip(found, once, strict=True):
        assert each.model_dump() == pytest.approx(expected.model_dump())


def gated(copies: int, groups: NDArray[np.intp] | None) -> dict[str, Outcome]:
    """What gates say of a version that loses 2 of 200 texts, each there so often."""
    labels = ["a", "b"] * 100 * copies
    predicted = (["b", "a"] + ["a", "b"] * 99) * copies
    other = OtherVersion(version=1, num_documents=len(labels), mistakes={}, made={}, own_made={})
    found = compared_with(other, range(len(labels)), labels, predicted, groups)
    assert found is not None
    confidence = np.random.default_rng(6).beta(4, 1, 90)
    right = np.random.default_rng(7).random(90) < confidence
    measured = calibration_figures(
        np.tile(confidence, copies),
        np.tile(right, copies),
        None if groups is None else np.tile(np.arange(90), copies),
    )
    judgement = judge(
        Gates(max_accuracy_loss=0.015, max_class_f1_loss=0.015, calibrated=True),
        GateFigures(against=1, calibration=measured, **difference_figures(found)),
        against=1,
    )
    return {verdict.gate: verdict.outcome for verdict in judgement.verdicts}


def test_gates_are_opened_by_no_copies() -> None:
    once = gated(1, np.arange(200))

    assert set(once.values()) == {Outcome.CANNOT_TELL}
    assert gated(10, np.tile(np.arange(200), 10)) == once
    # That is what copies would do if they were not known.
    assert gated(10, None)["max_accuracy_loss"] is Outcome.PASSED
