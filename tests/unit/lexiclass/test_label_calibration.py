from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import Temperature, load_calibrator
from lexiclass.calibration.labels import LabelSigmoids


def sample(
    num: int, slopes: list[float], offsets: list[float], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool]]:
    """Draw scores and classes, each class by a sigmoid of its own."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, len(slopes))) * 2
    truth = special.expit(scores * slopes + offsets)
    return scores, source.random(truth.shape) < truth


def test_every_class_gets_its_own_sigmoid() -> None:
    slopes, offsets = [0.5, 3.0], [-2.0, 1.0]
    fitted = LabelSigmoids.fit(*sample(20_000, slopes, offsets))
    np.testing.assert_allclose(fitted.slopes, slopes, rtol=0.1)
    np.testing.assert_allclose(fitted.offsets, offsets, rtol=0.1)
    scores, members = sample(5000, slopes, offsets, seed=1)
    error = expected_calibration_error(fitted(scores).ravel(), members.ravel())
    assert error < 0.02


def test_a_class_with_few_scores_is_near_what_all_share() -> None:
    scores, members = sample(500, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    scores[3:, 2] = np.nan
    members[:, 1] = scores[:, 1] > 0  # steeper than the others
    fitted = LabelSigmoids.fit(scores, members)
    assert fitted.slopes[0] < fitted.slopes[2] < fitted.slopes[1]


def test_without_scores_it_is_the_sigmoid_of_the_score() -> None:
    fitted = LabelSigmoids.fit(np.empty((0, 2)), np.empty((0, 2), bool))
    assert fitted(np.array([[0.0, 2.0]])).tolist() == [[0.5, special.expit(2.0)]]


def test_higher_scores_never_become_less_probable() -> None:
    scores = np.arange(40.0)[:, np.newaxis]
    fitted = LabelSigmoids.fit(scores, scores < 20)
    assert fitted.slopes[0] > 0


def test_a_stored_one_is_the_same() -> None:
    scores, members = sample(100, [1.0, 2.0], [0.0, 1.0])
    fitted = LabelSigmoids.fit(scores, members)
    state = json.loads(json.dumps(fitted.state()))
    loaded = load_calibrator(state, num_classes=2, multi_label=True, file="x")
    np.testing.assert_array_equal(loaded(scores), fitted(scores))


@pytest.mark.parametrize(
    "state",
    [
        [],
        {},
        Temperature().state(),
        {"method": "label_sigmoids", "slopes": [1, 2], "offsets": [1]},
        {"method": "label_sigmoids", "slopes": [1, 2, 3], "offsets": [1, 2, 3]},
        {"method": "label_sigmoids", "slopes": [1, float("nan")], "offsets": [1, 2]},
        {"method": "sigmoid", "slopes": [1, 2], "offsets": [1, 2]},
    ],
)
def test_what_is_no_calibrator_of_labels_is_refused(state: Any) -> None:
    with pytest.raises(ModelCorrupt):
        load_calibrator(state, num_classes=2, multi_label=True, file="x")
