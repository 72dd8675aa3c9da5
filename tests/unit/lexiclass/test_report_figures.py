"""Figures of a report against independent implementations, and with thousands of classes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import precision_recall_fscore_support

from lexiclass import Predictions
from lexiclass.report.acceptance import TARGETS
from lexiclass.report.class_figures import MAX_CONFUSIONS
from lexiclass.report.files import report_bytes
from lexiclass.report.intervals import shares_by
from lexiclass.report.outcomes import HIGHEST, OutcomeCollector
from lexiclass.report.reliability import reliability_curve
from tests.support.made_up_reports import collect, made_up, report_of


@pytest.mark.slow
@given(st.integers(40, 300), st.integers(2, 6), st.integers(0, 1_000))
def test_figures_of_classes_are_scikit_learns(number: int, num_classes: int, seed: int) -> None:
    labels, predictions = made_up(number, num_classes, seed)
    report = report_of(collect(labels, predictions))
    names = [each.name for each in report.classes]
    expected = precision_recall_fscore_support(
        labels, predictions.labels, labels=names, zero_division=0
    )
    for each, *scores, support in zip(report.classes, *expected, strict=True):
        assert each.support == support
        assert each.too_few == (support < 10)
        for mine, score in zip((each.precision, each.recall, each.f1), scores, strict=True):
            if mine is not None:
                assert mine.value == pytest.approx(score)
                assert mine.low <= mine.value <= mine.high


@given(st.integers(2, 200), st.integers(0, 1_000))
def test_the_reliability_curve_is_scikit_learns_isotonic_regression(number: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    confidence = random.random(number)
    correct = random.random(number) < confidence
    curve = reliability_curve(confidence, correct)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(confidence, correct)
    expected = fitted.predict([point.confidence for point in curve])
    np.testing.assert_allclose([point.accuracy for point in curve], expected, atol=1e-9)


@pytest.mark.slow
def test_confidences_of_classes_that_are_right_differ_seldom() -> None:
    differing = 0
    for seed in range(20):
        labels, predictions = made_up(600, 5, seed)
        report = report_of(collect(labels, predictions))
        assert len(report.calibration.classes) == 5
        differing += any(each.differs for each in report.calibration.classes)
    # Expected 1 at most: more than 4 once in 300 times. The seeds are fixed.
    assert differing <= 4


def test_confidences_of_a_class_that_are_wrong_differ() -> None:
    labels, predictions = made_up(2_000, 3)
    first = predictions.classes[0]
    labels = [predictions.classes[1] if n % 3 and x == first else x for n, x in enumerate(labels)]
    report = report_of(collect(labels, predictions))
    assert next(each.name for each in report.calibration.classes if each.differs) == first


def test_what_can_go_through_is_told_by_class_where_it_can_be() -> None:
    report = report_of(collect(*made_up(5_000, 3)))
    assert [each.target for each in report.acceptance.thresholds] == list(TARGETS)
    assert report.acceptance.classes
    for of_class in report.acceptance.classes:
        for each in of_class.thresholds:
            if each.threshold is not None:
                assert each.guaranteed is not None
                assert each.guaranteed >= each.target


@pytest.mark.slow
def test_a_report_of_5000_classes_makes_no_table_of_class_by_class() -> None:
    num_classes, number, batch = 5_000, 4_000, 100
    names = tuple(f"class {code:04}" for code in range(num_classes))
    random = np.random.default_rng(0)
    collector = OutcomeCollector(names)
    tracemalloc.start()
    for start in range(0, number, batch):
        true = random.integers(num_classes, size=batch)
        probabilities = np.full((batch, num_classes), 0.5 / num_classes)
        predicted = np.where(random.random(batch) < 0.6, true, (true * 7 + 1) % num_classes)
        probabilities[np.arange(batch), predicted] += 0.5
        collector.add(
            list(range(start, start + batch)),
            [names[code] for code in true],
            Predictions(names, probabilities),
        )
    outcomes = collector.outcomes()
    report = report_of(outcomes, training_counts=dict.fromkeys(names, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert outcomes.highest.shape == (number, HIGHEST)
    # A number of 4 bytes for each pair of classes would take 100 MB.
    assert peak < 60e6
    assert len(report.confusions) <= MAX_CONFUSIONS
    assert report.num_confusions >= 1_000
    assert len(report.classes) > 2_500
    assert all(each.f1 is None for each in report.classes)
    assert {each.code for each in report.findings} >= {"LX004"}
    assert len(report_bytes(report)) < 2e6


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 3])
def test_intervals_of_shares_hold_the_truth_in_at_least_93_of_100_test_sets(group: int) -> None:
    random = np.random.default_rng(group)
    held, sets = 0.0, 400
    for _ in range(sets):
        truth = random.uniform(0.6, 0.98, 5)
        kinds = np.repeat(random.integers(5, size=200), group)
        is_right = np.repeat(random.random(200), group) < truth[kinds]
        groups = np.repeat(np.arange(200), group)
        low, high = shares_by(kinds, is_right, 5, groups).intervals
        held += ((low <= truth) & (truth <= high)).mean()
    assert held / sets >= 0.93
