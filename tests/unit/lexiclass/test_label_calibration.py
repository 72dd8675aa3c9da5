from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import Shortened, Temperature, fit_sigmoid, load_calibrator
from lexiclass.calibration.evidence_fitting import mix_by_evidence
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


@pytest.mark.parametrize("size", [1e-290, 1e-8, 1e4, 1e6, 1e290])
@pytest.mark.parametrize("centre", [0.0, 1e3, -1e6])
def test_a_sigmoid_fits_scores_of_any_size_around_any_number(size: float, centre: float) -> None:
    drawn = sample(2_000, [1.5], [0.5])
    scores, members = drawn[0][:, 0], drawn[1][:, 0]
    weights = np.random.default_rng(1).choice([0.5, 1.0], len(scores))
    wanted = fit_sigmoid(scores, members, weights)
    slope, offset = fit_sigmoid((scores + centre) * size, members, weights)
    np.testing.assert_allclose([slope * size, offset + slope * size * centre], wanted, rtol=1e-3)


@pytest.mark.parametrize("score", [0.0, 0.1, -1e6, 1e-320, 1e308])
def test_a_sigmoid_of_scores_that_are_all_the_same_says_how_frequent_the_class_is(
    score: float,
) -> None:
    members = np.arange(1_000) < 300
    slope, offset = fit_sigmoid(np.full(1_000, score), members)
    assert special.expit(slope * score + offset) == pytest.approx(0.3, abs=1e-3)


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


def draw_by_words(
    num: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Draw scores that are as loud with one word as with twenty, and then mean a third."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, 2)) * 3
    evidence = source.choice([1.0, 20.0], size=num)
    truth = special.expit(scores * np.where(evidence < 20, 0.3, 1.0)[:, np.newaxis] - 0.5)
    return scores, evidence, source.random((num, 2)) < truth


@pytest.mark.parametrize("unscored", [0, 1500])
def test_a_class_is_believed_less_where_few_words_are_known(unscored: int) -> None:
    scores, evidence, members = draw_by_words(4000, 0)
    calibrator = LabelSigmoids.fit(scores[evidence == 20], members[evidence == 20])
    scores[:unscored, 1] = np.nan  # of what its own machine was trained on
    mixed = mix_by_evidence(
        calibrator,
        members.mean(axis=0),
        evidence[evidence == 20],
        Shortened(scores, evidence, members),
        multi_label=True,
    )
    scores, evidence, members = draw_by_words(8000, 1)
    for words in (1.0, 20.0):
        chosen = evidence == words
        probabilities = mixed(scores[chosen], evidence[chosen])
        error = expected_calibration_error(probabilities.ravel(), members[chosen].ravel())
        assert error < 0.03
    nothing = mixed(scores[:1], np.zeros(1))
    np.testing.assert_array_equal(nothing[0], mixed.frequencies)
    state = json.loads(json.dumps(mixed.state()))
    loaded = load_calibrator(state, num_classes=2, multi_label=True, file="x")
    np.testing.assert_array_equal(loaded(scores, evidence), mixed(scores, evidence))


def test_one_of_an_earlier_version_says_what_it_did() -> None:
    state = {
        "method": "weighed_by_evidence",
        "calibrator": {"method": "label_sigmoids", "slopes": [2.0, 3.0], "offsets": [-0.5, 0.25]},
        "frequencies": [0.3, 0.6],
        "shifts": [0.4, -0.2],
        "enough": 8.0,
        "log_half": -0.5,
        "log_steepness": 0.3,
    }
    stored = load_calibrator(state, num_classes=2, multi_label=True, file="x")
    found = stored(np.array([[1.0, -1.0]] * 4), np.array([0.0, 1.0, 4.0, 8.0]))
    expected = [
        [0.3, 0.6],
        [0.42386062522172735, 0.461823198494631],
        [0.7323165783822754, 0.14530214581675327],
        [0.8175744761936437, 0.060086650174007626],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


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
