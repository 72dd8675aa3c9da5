from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import (
    Sigmoid,
    Temperature,
    fit_calibrator,
    load_calibrator,
    negative_log_likelihood,
)
from lexiclass.folds import stratified_folds


def sample(num: int, classes: int, scale: float, seed: int = 0):
    """Draw scores whose true probabilities are their softmax after multiplying by ``scale``."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, classes))
    truth = special.softmax(scores * scale, axis=1)
    codes = (truth.cumsum(axis=1) > source.random((num, 1))).argmax(axis=1)
    return scores, codes


@pytest.mark.parametrize("scale", [0.5, 2.0, 8.0])
def test_the_temperature_is_found(scale):
    scores, codes = sample(20_000, 3, scale)
    assert Temperature.fit(scores, codes).temperature == pytest.approx(1 / scale, rel=0.1)


def test_without_documents_the_temperature_is_its_prior():
    assert fit_calibrator(np.empty((0, 3)), np.empty(0, np.intp)).temperature == pytest.approx(
        1, abs=1e-3
    )


def test_few_perfect_documents_do_not_make_certainty():
    scores = np.array([[1.0, -1.0], [-1.0, 1.0]] * 2)
    calibrator = fit_calibrator(scores, np.array([0, 1] * 2))
    assert isinstance(calibrator, Temperature)
    assert calibrator(scores).max() < 0.999


@pytest.mark.parametrize("method", [Temperature, Sigmoid])
@pytest.mark.parametrize("classes", [2, 5])
def test_calibrated_probabilities_are_calibrated(method, classes):
    calibrator = method.fit(*sample(5000, classes, 3.0))
    scores, codes = sample(5000, classes, 3.0, seed=1)
    probabilities = calibrator(scores)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    right = probabilities.argmax(axis=1) == codes
    assert expected_calibration_error(probabilities.max(axis=1), right) < 0.03


def test_the_better_method_is_chosen():
    scores, codes = sample(3000, 3, 2.0)
    assert isinstance(fit_calibrator(scores, codes), Temperature)
    shifted = scores * [0.2, 1.0, 5.0] + [3.0, 0.0, -3.0]
    assert isinstance(fit_calibrator(shifted, codes), Sigmoid)


@given(
    arrays(np.float64, (4, 3), elements=st.floats(-1e4, 1e4)),
    st.sampled_from(
        [
            Temperature(1e-3),
            Temperature(2.0),
            Sigmoid(np.array([5.0, 1.0, 1e3]), np.zeros(3), Temperature(0.5)),
        ]
    ),
)
def test_any_scores_give_probabilities(scores, calibrator):
    probabilities = calibrator(scores)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("method", [Temperature, Sigmoid])
def test_a_stored_calibrator_is_the_same(method):
    scores, codes = sample(200, 3, 2.0)
    calibrator = method.fit(scores, codes)
    state = json.loads(json.dumps(calibrator.state()))
    loaded = load_calibrator(state, num_classes=3, file="x")
    np.testing.assert_array_equal(loaded(scores), calibrator(scores))


@pytest.mark.parametrize(
    "state",
    [
        {},
        [],
        {"method": "temperature", "temperature": 0},
        {"method": "temperature", "temperature": "warm"},
        {"method": "magic", "temperature": 1},
        {"method": "sigmoid", "temperature": 1, "slopes": [1], "offsets": [1]},
    ],
)
def test_what_is_no_calibrator_is_refused(state):
    with pytest.raises(ModelCorrupt):
        load_calibrator(state, num_classes=3, file="x")


def test_expected_calibration_error_by_hand():
    confidence = np.array([0.05, 0.06, 0.95, 1.0, 0.0])
    correct = np.array([True, False, True, False, False])
    # Bins: {0.05, 0.06, 0.0} says 0.11 of 3, has 1; {0.95, 1.0} says 1.95 of 2, has 1.
    assert expected_calibration_error(confidence, correct) == pytest.approx((0.89 + 0.95) / 5)
    assert expected_calibration_error(np.empty(0), np.empty(0, bool)) == 0


def test_certain_and_wrong_costs_much_but_not_infinitely():
    cost = negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1]))
    assert 500 < cost < 1000


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_every_training_part_has_every_class(codes, num_folds, seed):
    codes = np.unique(codes, return_inverse=True)[1]
    folds = stratified_folds(codes, num_folds, seed)
    sizes = np.bincount(codes)
    np.testing.assert_array_equal(folds == -1, sizes[codes] == 1)
    for fold in range(num_folds):
        assert set(codes[folds != fold]) == set(codes)
    for code in range(len(sizes)):
        dealt = np.bincount(folds[(codes == code) & (folds >= 0)], minlength=num_folds)
        assert dealt.max() - dealt.min() <= 1
