from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import Temperature
from lexiclass.floored_temperature import FlooredTemperature
from lexiclass.label_calibration import load_calibrator


def sample(num: int, scale: float, noise: float, seed: int = 0):
    """Draw classes by the softmax of scaled scores, and some of them at random."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, 4)) * 3
    truth = special.softmax(scores * scale, axis=1)
    codes = (truth.cumsum(axis=1) > source.random((num, 1))).argmax(axis=1)
    wrong = source.random(num) < noise
    codes[wrong] = source.integers(0, 4, wrong.sum())
    return scores, codes


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_temperature_and_noise_are_found(scale, noise):
    fitted = FlooredTemperature.fit(*sample(20_000, scale, noise))
    assert fitted.temperature == pytest.approx(1 / scale, rel=0.1)
    assert fitted.noise == pytest.approx(noise, abs=0.02)


def test_it_is_better_than_a_temperature_where_some_are_surely_wrong():
    scores, codes = sample(300, 2.0, 0.1)
    test_scores, test_codes = sample(5000, 2.0, 0.1, seed=1)

    def error(calibrator) -> float:
        probabilities = calibrator(test_scores)
        right = probabilities.argmax(axis=1) == test_codes
        return expected_calibration_error(probabilities.max(axis=1), right)

    assert error(FlooredTemperature.fit(scores, codes)) < error(Temperature.fit(scores, codes))


def test_the_order_of_classes_is_kept():
    scores, codes = sample(200, 1.0, 0.2)
    probabilities = FlooredTemperature.fit(scores, codes)(scores)
    np.testing.assert_array_equal(probabilities.argsort(axis=1), scores.argsort(axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_few_documents_make_neither_certainty_nor_noise():
    assert FlooredTemperature.fit(np.empty((0, 2)), np.empty(0, np.intp))(
        [[0.0, 0.0]]
    ).tolist() == [[0.5, 0.5]]
    fitted = FlooredTemperature.fit(np.array([[4.0, 0.0], [0.0, 4.0]]), np.array([0, 1]))
    assert 0.9 < fitted(np.array([[4.0, 0.0]])).max() < 0.9999


def test_a_stored_one_is_the_same():
    scores, codes = sample(100, 1.0, 0.1)
    fitted = FlooredTemperature.fit(scores, codes)
    state = json.loads(json.dumps(fitted.state()))
    assert load_calibrator(state, num_classes=4, multi_label=False, file="x") == fitted


@pytest.mark.parametrize("changes", [{"noise": 2}, {"noise": None}, {"temperature": 0}])
def test_numbers_out_of_range_are_refused(changes):
    state = {**FlooredTemperature(1.0, 0.1).state(), **changes}
    with pytest.raises(ModelCorrupt):
        load_calibrator(state, num_classes=4, multi_label=False, file="x")
