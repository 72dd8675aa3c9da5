"""Calibration is judged beside what chance alone would show."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from lexiclass import expected_calibration_error
from lexiclass.report.model import ReliabilityPoint
from lexiclass.report.reliability import (
    brier_score,
    debiased_calibration_error,
    log_loss,
    perfect_band,
    reliability_curve,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_perfect_models_error_is_none_on_average_whatever_the_number_of_documents(
    random: np.random.Generator,
) -> None:
    for number in (60, 500, 5_000):
        squares, biased = [], []
        for _ in range(300):
            confidence = random.beta(5, 1, number)
            correct = random.random(number) < confidence
            squares.append(debiased_calibration_error(confidence, correct) ** 2)
            biased.append(expected_calibration_error(confidence, correct))
        # Half of the estimates are below 0 and count as 0: the mean is that of the others.
        assert np.median(squares) < np.mean(biased) ** 2 / 4


def test_the_error_of_a_model_that_says_too_much_is_what_it_says_too_much(
    random: np.random.Generator,
) -> None:
    confidence = random.uniform(0.5, 1, 20_000)
    correct = random.random(20_000) < confidence - 0.1
    assert debiased_calibration_error(confidence, correct) == pytest.approx(0.1, abs=0.01)


def test_one_document_has_no_error_to_speak_of() -> None:
    assert debiased_calibration_error(np.array([0.9]), np.array([False])) == 0.0
    assert debiased_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_documents_of_one_confidence_are_right_as_often_as_it_says_in_whatever_order() -> None:
    confidence, by_class = np.full(200, 0.5), np.arange(200) < 100
    assert debiased_calibration_error(confidence, by_class) == 0.0
    # Of 100 with a confidence of .9 half are right: .4 too few, and the variance is one bin's.
    confidence[100:] = 0.9
    found = debiased_calibration_error(confidence, np.arange(200) % 100 < 50)
    assert found == pytest.approx(np.sqrt((0.4**2 - 2 * 0.25 / 99) / 2))


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]), st.booleans()), min_size=2),
    st.lists(
        st.tuples(st.floats(0.5, 1), st.booleans()), max_size=40, unique_by=lambda row: row[0]
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_documents_changes_no_error(
    tied: list[tuple[float, bool]], others: list[tuple[float, bool]], random: Any
) -> None:
    rows = tied + others
    found = [
        debiased_calibration_error(*map(np.array, zip(*each, strict=True)))
        for each in (rows, sorted(rows), random.sample(rows, len(rows)))
    ]
    assert found[1:] == pytest.approx([found[0]] * 2, abs=1e-7)


@pytest.mark.slow
@pytest.mark.slow_variants
def test_a_perfect_model_is_inside_its_band_where_many_documents_have_one_confidence(
    random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.report.reliability.SIMULATIONS", 100)
    inside = 0
    for _ in range(200):
        # Those without a known word come class by class.
        confidence = np.append(np.full(90, 0.55), random.beta(4, 1, 210))
        right = random.random(300) < confidence
        right[:90].sort()
        band = perfect_band(debiased_calibration_error, confidence)
        inside += debiased_calibration_error(confidence, right) <= band.high
    assert 180 <= inside <= 199


@pytest.mark.slow_variants
@pytest.mark.parametrize("figure", [expected_calibration_error, debiased_calibration_error])
def test_a_perfect_model_is_inside_its_band_19_times_of_20(
    figure: Callable[..., float], random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.report.reliability.SIMULATIONS", 100)
    inside = 0
    for _ in range(200):
        confidence = random.beta(4, 1, 300)
        band = perfect_band(figure, confidence, seed=int(random.integers(1_000_000)))
        inside += figure(confidence, random.random(300) < confidence) <= band.high
    assert 180 <= inside <= 199


def test_scores_of_probabilities_are_scikit_learns(random: np.random.Generator) -> None:
    probabilities = random.dirichlet(np.ones(4), 200)
    truth = random.integers(4, size=200)
    of_truth = probabilities[np.arange(200), truth]
    squares = (probabilities**2).sum(axis=1)
    assert log_loss(of_truth) == pytest.approx(
        sklearn_log_loss(truth, probabilities, labels=range(4))
    )
    # scikit-learn's, too, is of the squares over all classes.
    assert brier_score(of_truth, squares) == pytest.approx(
        brier_score_loss(truth, probabilities, labels=range(4), scale_by_half=False)
    )


def test_a_class_that_the_model_does_not_know_costs_as_much_as_any_probability_can() -> None:
    assert brier_score(np.array([0.0]), np.array([1.0])) == 2.0
    assert log_loss(np.array([0.0])) == pytest.approx(34.5, abs=0.1)


def test_the_curve_of_a_perfect_model_stays_in_its_band_and_that_of_a_boaster_does_not(
    random: np.random.Generator,
) -> None:
    confidence = random.beta(4, 1, 3_000)
    luck = random.random(3_000)
    honest = reliability_curve(confidence, luck < confidence)
    boaster = reliability_curve(confidence, luck < confidence - 0.15)

    for curve in (honest, boaster):
        assert (np.diff([point.confidence for point in curve]) > 0).all()
        assert (np.diff([point.accuracy for point in curve]) >= 0).all()
        assert sum(point.num_documents for point in curve) == 3_000
    assert _share_inside(honest) > 0.85
    assert _share_inside(boaster) < 0.2


def _share_inside(curve: list[ReliabilityPoint]) -> float:
    return sum(point.low <= point.accuracy <= point.high for point in curve) / len(curve)


@pytest.mark.parametrize("right", [True, False])
def test_one_confidence_is_one_point(right: bool) -> None:
    (point,) = reliability_curve(np.full(10, 0.7), np.full(10, right))
    assert (point.confidence, point.accuracy, point.num_documents) == (0.7, float(right), 10)
