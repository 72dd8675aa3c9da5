from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import Temperature
from lexiclass.label_calibration import (
    LabelSigmoids,
    calibrate,
    load_calibrator,
)
from lexiclass.targets import Targets


def sample(num: int, slopes, offsets, seed: int = 0):
    """Draw scores and classes, each class by a sigmoid of its own."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, len(slopes))) * 2
    truth = special.expit(scores * slopes + offsets)
    return scores, source.random(truth.shape) < truth


def test_every_class_gets_its_own_sigmoid():
    slopes, offsets = [0.5, 3.0], [-2.0, 1.0]
    fitted = LabelSigmoids.fit(*sample(20_000, slopes, offsets))
    np.testing.assert_allclose(fitted.slopes, slopes, rtol=0.1)
    np.testing.assert_allclose(fitted.offsets, offsets, rtol=0.1)
    scores, members = sample(5000, slopes, offsets, seed=1)
    error = expected_calibration_error(fitted(scores).ravel(), members.ravel())
    assert error < 0.02


def test_rare_classes_share_a_sigmoid():
    scores, members = sample(500, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    members[:, 2] = False
    members[:9, 2] = True
    fitted = LabelSigmoids.fit(scores, members)
    assert len(set(fitted.slopes)) == 3
    scores[3:, 1:] = np.nan  # hardly any score
    fitted = LabelSigmoids.fit(scores, members)
    assert fitted.slopes[1] == fitted.slopes[2] != fitted.slopes[0]


def test_without_scores_it_is_the_sigmoid_of_the_score():
    fitted = LabelSigmoids.fit(np.empty((0, 2)), np.empty((0, 2), bool))
    assert fitted([[0.0, 2.0]]).tolist() == [[0.5, special.expit(2.0)]]


def test_higher_scores_never_become_less_probable():
    scores = np.arange(40.0)[:, np.newaxis]
    fitted = LabelSigmoids.fit(scores, scores < 20)
    assert fitted.slopes[0] > 0


def test_order_is_kept_where_asked_for():
    source = np.random.default_rng(0)
    labels = source.choice(["a", "b"], size=500).tolist()
    scores = source.normal(size=(500, 2)) + np.array([3.0, 0.0])  # thinks too much of a
    targets = Targets.encode(labels, multi_label=False)
    assert not isinstance(calibrate(scores, targets, keep_order=False), Temperature)
    assert isinstance(calibrate(scores, targets, keep_order=True), Temperature)


def test_a_stored_one_is_the_same():
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
def test_what_is_no_calibrator_of_labels_is_refused(state):
    with pytest.raises(ModelCorrupt):
        load_calibrator(state, num_classes=2, multi_label=True, file="x")
