from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import optimize, special

from lexiclass import ModelCorrupt, expected_calibration_error
from lexiclass.calibration import (
    MARGIN_SLOPE,
    Documents,
    PooledSigmoids,
    Shortened,
    Temperature,
    calibrate,
    load_calibrator,
)
from lexiclass.calibration.base import Calibrator
from lexiclass.calibration.evidence import MixedByEvidence, nearness
from lexiclass.calibration.evidence_fitting import _Objective as EvidenceObjective
from lexiclass.calibration.evidence_fitting import mix_by_evidence
from lexiclass.calibration.labels import LabelSigmoids
from lexiclass.calibration.pooled import _Objective as PooledObjective
from lexiclass.calibration.previous import FlooredTemperature, Sigmoid, WeighedByEvidence
from lexiclass.folds import stratified_folds
from lexiclass.targets import Targets


def sample(
    num: int, classes: int, scale: float, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw scores whose true probabilities are their softmax after multiplying by ``scale``."""
    source = np.random.default_rng(seed)
    scores = source.normal(size=(num, classes))
    truth = special.softmax(scores * scale, axis=1)
    codes = (truth.cumsum(axis=1) > source.random((num, 1))).argmax(axis=1)
    return scores, codes


@pytest.mark.parametrize("scale", [0.5, 2.0, 8.0])
def test_the_temperature_is_found(scale: float) -> None:
    scores, codes = sample(20_000, 3, scale)
    assert Temperature.fit(scores, codes).temperature == pytest.approx(1 / scale, rel=0.1)


def test_few_perfect_documents_do_not_make_certainty() -> None:
    scores = np.array([[1.0, -1.0], [-1.0, 1.0]] * 2)
    calibrator = PooledSigmoids.fit(scores, np.array([0, 1] * 2))
    assert 0.9 < calibrator(scores).max() < 0.9999


def test_few_documents_of_two_classes_that_tell_nothing_make_little_confidence() -> None:
    means = []
    for seed in range(20):
        margins = np.random.default_rng(seed).normal(0, 0.2, (1_016, 1)) * [-1, 1]
        calibrator = PooledSigmoids.fit(margins[:16], np.arange(16) % 2)
        means.append(calibrator(margins[16:]).max(axis=1).mean())
    assert np.mean(means) < 0.57  # of chance


@pytest.mark.parametrize("method", [Temperature, PooledSigmoids])
@pytest.mark.parametrize("classes", [2, 5])
def test_calibrated_probabilities_are_calibrated(
    method: type[PooledSigmoids] | type[Temperature], classes: int
) -> None:
    calibrator = method.fit(*sample(5000, classes, 3.0))
    scores, codes = sample(5000, classes, 3.0, seed=1)
    probabilities = calibrator(scores)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    right = probabilities.argmax(axis=1) == codes
    assert expected_calibration_error(probabilities.max(axis=1), right) < 0.03


def test_classes_with_scores_of_their_own_kind_are_calibrated_by_themselves() -> None:
    scores, codes = sample(3000, 3, 3.0)
    askew = [0.5, 1.0, 2.0], [0.6, 0.0, -1.0]
    test_scores, test_codes = sample(3000, 3, 3.0, seed=1)

    def loss(calibrator: PooledSigmoids | Temperature) -> float:
        probabilities = calibrator(test_scores * askew[0] + askew[1])
        return float(-np.log(probabilities[np.arange(3000), test_codes]).mean())

    shared = Temperature.fit(scores * askew[0] + askew[1], codes)
    assert loss(PooledSigmoids.fit(scores * askew[0] + askew[1], codes)) < loss(shared) - 0.05


@pytest.mark.slow
def test_a_class_is_calibrated_the_more_by_itself_the_more_documents_it_has() -> None:
    """There is no number of documents at which the method would change."""
    scores, codes = sample(2000, 3, 3.0)
    scores[:, 2] -= 1.0
    rare = np.flatnonzero(codes == 2)
    offsets = []
    for kept in (*range(1, 7), *range(34, 40)):
        rows = np.concatenate((np.flatnonzero(codes != 2), rare[:kept]))
        fitted = PooledSigmoids.fit(scores[rows], codes[rows])
        offsets.append(fitted.offsets[2] - fitted.offsets[:2].mean())
    steps = np.abs(np.diff(np.reshape(offsets, (2, 6))))
    assert steps.max() < 0.2


@pytest.mark.parametrize("of_softmax", [False, True])
def test_without_documents_it_is_where_the_priors_put_it(of_softmax: bool) -> None:
    scores = np.array([[2.0, 0.0, -1.0]])
    none = np.empty((0, 3)), np.empty(0, np.intp)
    found = PooledSigmoids.fit(*none, of_softmax=of_softmax)(scores)
    expected = (
        special.softmax(scores, axis=1)
        if of_softmax
        else special.softmax(special.log_expit(MARGIN_SLOPE * scores), axis=1)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


Objective = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def value(objective: Objective, at: NDArray[np.float64]) -> float:
    return objective(at)[0]


@pytest.mark.parametrize("num", [0, 3, 50])
def test_what_is_minimised_has_the_gradient_that_is_said(num: int) -> None:
    source = np.random.default_rng(num)
    scores, codes = sample(num, 4, 2.0)
    pooled = PooledObjective(
        scores, codes, source.random(num) + 0.5, np.array([0.0, 0.3, 0.8, 1.0]), 0.3, 0.7
    )
    objectives: list[tuple[Objective, int]] = [(pooled, 11)]
    for multi_label in (False, True):
        members = np.arange(4)[:, np.newaxis] == codes
        evidence = EvidenceObjective(
            near=nearness(source.integers(1, 9, num).astype(float), np.array([1.0, 3.0, 9.0])),
            ratios=source.normal(size=(4, num)),
            frequencies=np.array([0.1, 0.2, 0.3, 0.4]),
            members=members | (source.random((4, num)) < 0.3) if multi_label else members,
            counts=source.random((4 if multi_label else 1, num)),
            expected=np.array([-1.0, -0.5]),
            freedom=np.array([0.0, 0.4, 0.9, 1.0]),
            multi_label=multi_label,
        )
        objectives.append((evidence, 12))
    for objective, size in objectives:
        at = source.normal(size=size) * 0.3
        numeric = optimize.approx_fprime(at, partial(value, objective), 1e-6)
        np.testing.assert_allclose(objective(at)[1], numeric, atol=1e-3 * max(1, num))


def weigh(
    scores: NDArray[np.float64], evidence: NDArray[np.float64], codes: NDArray[np.int64]
) -> MixedByEvidence:
    """Fit a curve to documents of which those with less evidence are right less often."""
    frequencies = np.bincount(codes, minlength=scores.shape[1]) / len(codes)
    calibrator = PooledSigmoids.fit(scores[evidence >= 50], codes[evidence >= 50])
    shortened = Shortened(scores, evidence, codes[:, np.newaxis] == np.arange(scores.shape[1]))
    return mix_by_evidence(calibrator, frequencies, evidence[evidence >= 50], shortened)


def loud_when_short(
    num: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Draw documents whose scores are as large with one word as with a hundred, but mean less."""
    source = np.random.default_rng(seed)
    codes = source.choice(3, size=num, p=[0.5, 0.3, 0.2])
    evidence = source.choice([1.0, 3.0, 10.0, 100.0], size=num)
    seems = np.where(
        source.random(num) < evidence / (evidence + 5), codes, source.integers(0, 3, num)
    )
    scores = source.normal(size=(num, 3)) * 0.3
    scores[np.arange(num), seems] += 1.0
    return scores, evidence, codes


def test_little_evidence_makes_little_confidence() -> None:
    calibrator = weigh(*loud_when_short(6000))
    scores, evidence, codes = loud_when_short(6000, seed=1)
    probabilities = calibrator(scores, evidence)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    for words in (1, 3, 10, 100):
        chosen = evidence == words
        right = (probabilities[chosen].argmax(axis=1) == codes[chosen]).mean()
        assert probabilities[chosen].max(axis=1).mean() == pytest.approx(right, abs=0.05)


def test_single_words_that_mislead_do_not_make_all_others_modest() -> None:
    """Where a word in four says nothing however loud, no smaller weight of all would be right."""

    def draw(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        source = np.random.default_rng(seed)
        codes = source.integers(0, 4, 4000)
        evidence = source.choice([1.0, 100.0], size=4000)
        misleads = (evidence == 1) & (source.random(4000) < 0.25)
        seems = np.where(misleads, source.integers(0, 4, 4000), codes)
        scores = source.normal(size=(4000, 4)) * 0.2 - 1
        scores[np.arange(4000), seems] += source.choice([0.5, 1.0, 2.0], 4000)
        return scores, evidence, codes

    calibrator = weigh(*draw(0))
    scores, evidence, codes = draw(1)
    one_word = evidence == 1
    probabilities = calibrator(scores[one_word], evidence[one_word])
    right = (probabilities.argmax(axis=1) == codes[one_word]).mean()
    assert probabilities.max(axis=1).mean() == pytest.approx(right, abs=0.03)
    assert probabilities.max() < 0.9


def test_one_temperature_keeps_the_order_where_there_is_enough_evidence() -> None:
    """With little a class that is seldom the answer then must not win by a hair."""
    scores, evidence, codes = loud_when_short(6000)
    members = codes[:, np.newaxis] == np.arange(3)
    whole = evidence == 100

    def fitted(*, multi_label: bool, keep_order: bool) -> Calibrator:
        documents = Documents(
            scores=scores[whole],
            evidence=evidence[whole],
            targets=Targets(("a", "b", "c"), multi_label, members, codes).take(whole),
            shortened=Shortened(scores, evidence, members),
        )
        return calibrate(
            documents, members.sum(axis=0) * 1.0, members.mean(axis=0), keep_order=keep_order
        )

    calibrator = fitted(multi_label=False, keep_order=True)
    scores, evidence, codes = loud_when_short(6000, seed=1)
    highest, found = scores.argmax(axis=1), calibrator(scores, evidence).argmax(axis=1)
    np.testing.assert_array_equal(found[evidence == 100], highest[evidence == 100])
    np.testing.assert_array_equal(calibrator(scores).argmax(axis=1), highest)
    little = evidence == 1
    assert (found == highest)[little].mean() < 1
    assert (found == codes)[little].mean() > (highest == codes)[little].mean()
    np.testing.assert_array_equal(
        fitted(multi_label=True, keep_order=True)(scores, evidence),
        fitted(multi_label=True, keep_order=False)(scores, evidence),
    )


@given(st.floats(1, 1000), st.integers(0, 5))
def test_what_knots_count_adds_up_and_is_continuous(amount: float, num: int) -> None:
    knots = np.array([1.0, 2.0, 5.0, 17.0, 300.0, 999.0][: num + 1])
    counts = nearness(np.array([amount, amount * 1.0001]), knots)
    assert counts.shape == (2, num)
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) <= 1 + 1e-12).all()
    np.testing.assert_allclose(counts[0], counts[1], atol=1e-3)
    np.testing.assert_allclose(nearness(knots, knots), np.eye(num + 1)[:, :num], atol=1e-12)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=5))
def test_without_evidence_classes_are_as_frequent_as_they_were(amounts: list[float]) -> None:
    scores = np.array([[3.0, -1.0, 0.0]] * len(amounts))
    shares = np.array([0.2, 0.5, 0.3])
    calibrator = MixedByEvidence(
        calibrator=PooledSigmoids(np.full(3, 3.0), np.zeros(3), 1.0),
        frequencies=shares,
        knots=np.array([1.0, 7.0, 50.0]),
        weights=np.array([0.2, 1.3]),
        shifts=np.array([[0.3, 0.0, -0.3], [0.1, 0.2, 0.3]]),
        shares=np.array([0.3, 0.0]),
    )
    found = calibrator(scores, np.array(amounts))
    for amount, probabilities in zip(amounts, found, strict=True):
        assert probabilities.sum() == pytest.approx(1)
        if amount == 0:
            np.testing.assert_allclose(probabilities, shares)
        if amount >= 50:
            np.testing.assert_array_equal(probabilities, calibrator.calibrator(scores[:1])[0])


def test_class_weights_decide_and_confidences_stay_true() -> None:
    scores, codes = sample(6000, 2, 2.0)
    scores[:, 1] -= 1.5  # a class that is seldom the answer
    truth = special.softmax(scores * 2.0, axis=1)
    codes = (np.random.default_rng(5).random(6000) < truth[:, 1]).astype(np.intp)
    labels = np.array(["common", "rare"])[codes].tolist()
    documents = Documents(
        scores=scores,
        evidence=np.full(6000, np.inf),
        targets=Targets.encode(labels, multi_label=False),
    )
    counts = np.bincount(codes).astype(float)
    plain = calibrate(documents, counts, counts / 6000)
    weighted = calibrate(documents, counts, counts / 6000, weights=6000 / (2 * counts))
    rare = codes == 1
    recalls = [(c(scores).argmax(axis=1) == 1)[rare].mean() for c in (plain, weighted)]
    assert recalls[1] > recalls[0] + 0.1
    probabilities = weighted(scores)
    right = probabilities.argmax(axis=1) == codes
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


@given(
    arrays(np.float64, (4, 3), elements=st.floats(-1e4, 1e4)),
    st.sampled_from(
        [
            Temperature(1e-3),
            Temperature(2.0),
            FlooredTemperature(0.1, 0.2),
            Sigmoid(np.array([5.0, 1.0, 1e3]), np.zeros(3), 0.5),
            PooledSigmoids(np.array([5.0, 1.0, 1e3]), np.zeros(3), 30.0),
            PooledSigmoids(np.ones(3), np.zeros(3), 1.0, of_softmax=True),
        ]
    ),
)
def test_any_scores_give_probabilities(
    scores: NDArray[np.float64],
    calibrator: Calibrator,
) -> None:
    third = np.full(3, 1 / 3)
    earlier = WeighedByEvidence(
        calibrator=calibrator, frequencies=third, shifts=np.zeros(3), enough=10.0
    )
    mixed = MixedByEvidence(
        calibrator=calibrator,
        frequencies=third,
        knots=np.array([1.0, 10.0]),
        weights=np.array([0.5]),
        shifts=np.zeros((1, 3)),
        shares=np.array([0.2]),
    )
    evidence = np.array([0.0, 1.0, 5.0, 20.0])
    for probabilities in (calibrator(scores), earlier(scores, evidence), mixed(scores, evidence)):
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    "calibrator",
    [
        Temperature(2.0),
        FlooredTemperature(2.0, 0.1),
        Sigmoid(np.array([1.0, 2.0, 3.0]), np.zeros(3), 0.7),
        PooledSigmoids.fit(*sample(200, 3, 2.0)),
        PooledSigmoids.fit(*sample(200, 3, 2.0), of_softmax=True),
        weigh(*loud_when_short(400)),
        MixedByEvidence.without_curve(Temperature(2.0), np.full(3, 1 / 3), multi_label=False),
        WeighedByEvidence(
            calibrator=Temperature(2.0),
            frequencies=np.full(3, 1 / 3),
            shifts=np.array([0.1, 0.0, -0.1]),
            enough=20.0,
        ),
    ],
)
def test_a_stored_calibrator_is_the_same(calibrator: Any) -> None:
    scores, evidence = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40.0)
    state = json.loads(json.dumps(calibrator.state()))
    loaded = load_calibrator(state, num_classes=3, file="x")
    np.testing.assert_array_equal(loaded(scores, evidence), calibrator(scores, evidence))


_POOLED = {"method": "pooled_sigmoids", "power": 1, "of_softmax": False}
_THREE = {"slopes": [1, 1, 1], "offsets": [0, 0, 0]}
_WEIGHED = {
    "method": "weighed_by_evidence",
    "calibrator": {"method": "temperature", "temperature": 1},
    "frequencies": [0.2, 0.3, 0.5],
    "shifts": [0, 0, 0],
    "enough": 1,
    "log_half": 0,
    "log_steepness": 0,
}
_MIXED = {
    "method": "mixed_by_evidence",
    "calibrator": {"method": "temperature", "temperature": 1},
    "frequencies": [0.2, 0.3, 0.5],
    "knots": [1, 4],
    "weights": [0.5],
    "shifts": [[0, 0, 0]],
    "shares": [0.1],
}


@pytest.mark.parametrize(
    "state",
    [
        {},
        [],
        {"method": "temperature", "temperature": 0},
        {"method": "temperature", "temperature": "warm"},
        {"method": "temperature", "temperature": 10**400},
        {"method": "magic", "temperature": 1},
        {"method": "sigmoid", "temperature": 1, "slopes": [1], "offsets": [1]},
        {"method": "sigmoid", "temperature": 1, **_THREE, "slopes": [-1, -1, -1]},
        {"method": "sigmoid", "temperature": 1, **_THREE, "offsets": [0, float("nan"), 0]},
        {"method": "floored_temperature", "temperature": 1, "noise": 2},
        {"method": "floored_temperature", "temperature": 0, "noise": 0.1},
        _POOLED,
        {**_POOLED, "slopes": [1], "offsets": [0]},
        {**_POOLED, **_THREE, "power": -1},
        {**_POOLED, **_THREE, "slopes": [1, 0, 1]},
        {**_POOLED, **_THREE, "offsets": [1, float("nan"), 1]},
        {**_WEIGHED, "calibrator": _WEIGHED},
        {**_WEIGHED, "frequencies": [0.5, 0.5]},
        {**_WEIGHED, "frequencies": [0.5, 0.5, 0]},
        {**_WEIGHED, "enough": 0},
        {**_WEIGHED, "log_half": float("inf")},
        {**_WEIGHED, "shifts": [0]},
        {**_MIXED, "calibrator": _MIXED},
        {**_MIXED, "calibrator": _WEIGHED},
        {**_MIXED, "frequencies": [0.5, 0.5]},
        {**_MIXED, "frequencies": [0.5, 0.5, 0]},
        {**_MIXED, "knots": [4, 1]},
        {**_MIXED, "knots": [0, 4]},
        {**_MIXED, "knots": []},
        {**_MIXED, "knots": 4},
        {**_MIXED, "knots": [1, 2, 4]},
        {**_MIXED, "weights": [0]},
        {**_MIXED, "weights": [float("inf")]},
        {**_MIXED, "weights": [0.5, 0.5]},
        {**_MIXED, "shifts": [[0, 0]]},
        {**_MIXED, "shifts": [[0, 0, float("nan")]]},
        {**_MIXED, "shares": [1.5]},
        {**_MIXED, "shares": []},
    ],
)
def test_what_is_no_calibrator_is_refused(state: Any) -> None:
    with pytest.raises(ModelCorrupt):
        load_calibrator(state, num_classes=3, file="x")


@pytest.mark.parametrize("method", ["temperature", "pooled", "labels"])
def test_what_is_there_twice_and_counts_half_changes_nothing(method: str) -> None:
    source = np.random.default_rng(0)
    codes = source.integers(0, 3, 80)
    members = codes[:, np.newaxis] == np.arange(3)
    scores = source.normal(members * 2.0 - 1, 1)
    twice = np.repeat(np.arange(80), 2)
    half = np.full(160, 0.5)
    once: Calibrator
    again: Calibrator
    if method == "temperature":
        once = Temperature.fit(scores, codes)
        again = Temperature.fit(scores[twice], codes[twice], half)
    elif method == "pooled":
        once = PooledSigmoids.fit(scores, codes)
        again = PooledSigmoids.fit(scores[twice], codes[twice], weights=half)
    else:
        once = LabelSigmoids.fit(scores, members)
        again = LabelSigmoids.fit(scores[twice], members[twice], half)
    np.testing.assert_allclose(once(scores), again(scores), atol=1e-3)


def test_expected_calibration_error_by_hand() -> None:
    confidence = np.array([0.05, 0.06, 0.95, 1.0, 0.0])
    correct = np.array([True, False, True, False, False])
    # Bins: {0.05, 0.06, 0.0} says 0.11 of 3, has 1; {0.95, 1.0} says 1.95 of 2, has 1.
    assert expected_calibration_error(confidence, correct) == pytest.approx((0.89 + 0.95) / 5)
    assert expected_calibration_error(np.empty(0), np.empty(0, bool)) == 0


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=60),
    st.integers(2, 5),
    st.integers(0, 99),
)
def test_documents_that_are_the_same_go_together_and_every_training_part_has_every_class(
    documents: list[tuple[int, int]], num_folds: int, seed: int
) -> None:
    codes, keys = map(np.array, zip(*documents, strict=True))
    codes = np.unique(codes, return_inverse=True)[1]
    keys = keys.astype(np.uint64)
    folds = stratified_folds(codes, num_folds, seed, keys)
    for fold in range(num_folds):
        assert set(codes[folds != fold]) == set(codes)
    for key in np.unique(keys):
        assert len(set(folds[keys == key].tolist())) == 1
    order = np.random.default_rng(0).permutation(len(codes))
    np.testing.assert_array_equal(
        stratified_folds(codes[order], num_folds, seed, keys[order]), folds[order]
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_classes_are_dealt_out_evenly(numbers: list[int], num_folds: int, seed: int) -> None:
    codes = np.unique(numbers, return_inverse=True)[1]
    folds = stratified_folds(codes, num_folds, seed)
    sizes = np.bincount(codes)
    np.testing.assert_array_equal(folds == -1, sizes[codes] == 1)
    for code in range(len(sizes)):
        dealt = np.bincount(folds[(codes == code) & (folds >= 0)], minlength=num_folds)
        assert dealt.max() - dealt.min() <= 1
