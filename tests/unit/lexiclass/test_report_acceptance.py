"""What is promised of documents that nobody looks at holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass.report.acceptance import TARGETS, THRESHOLDS, certify, coverage_curve
from lexiclass.report.acceptance_figures import acceptance_of
from lexiclass.report.outcomes import Outcomes


def test_thresholds_are_tried_from_the_strictest_down() -> None:
    assert (np.diff(THRESHOLDS) < 0).all()
    assert THRESHOLDS[0] == pytest.approx(0.9999)
    assert THRESHOLDS[-1] == 0


# How much the model's confidences say too much, and documents tested with.
@pytest.mark.slow
@pytest.mark.parametrize(("exponent", "number"), [(1.0, 500), (1.3, 2_000), (2.0, 2_000)])
def test_the_promise_holds_in_at_least_95_of_100_draws(exponent: float, number: int) -> None:
    random = np.random.default_rng([number, int(10 * exponent)])
    everything = np.sort(random.beta(8, 1, 500_000))
    accuracies = np.cumsum((everything**exponent)[::-1])[::-1] / np.arange(500_000, 0, -1)
    draws, broken, certified = 1_000, dict.fromkeys(TARGETS, 0), dict.fromkeys(TARGETS, 0)
    for _ in range(draws):
        confidence = random.beta(8, 1, number)
        correct = random.random(number) < confidence**exponent
        for target in TARGETS:
            found = certify(confidence, correct, target)
            if found.threshold is not None:
                certified[target] += 1
                first_accepted = np.searchsorted(everything, found.threshold)
                broken[target] += accuracies[first_accepted] < target
    assert certified[0.9] > draws / 2
    assert all(count <= 0.05 * draws for count in broken.values()), broken


def test_a_certificate_says_what_it_rests_on() -> None:
    confidence = np.linspace(0.5, 1, 1_000)
    correct = np.arange(1_000) >= 500
    found = certify(confidence, correct, 0.95)
    assert found.threshold is not None
    assert found.guaranteed is not None
    accepted = confidence >= found.threshold
    assert found.num_documents == accepted.sum()
    assert found.accepted == accepted.mean()
    assert found.accuracy == pytest.approx(correct[accepted].mean())
    assert found.guaranteed >= 0.95
    assert found.accepted == pytest.approx(0.51, abs=0.03)


def test_near_duplicates_prove_no_more_than_one_of_them() -> None:
    number = 59
    outcomes = Outcomes(
        classes=["a"],
        num_known=1,
        documents=list(range(number)),
        true=np.zeros(number, dtype=np.int32),
        highest=np.zeros((number, 1), dtype=np.int32),
        probabilities=np.full((number, 1), 0.99),
        of_truth=np.full(number, 0.99),
        squares=np.full(number, 0.98),
    )
    threshold_95 = TARGETS.index(0.95)
    apart = acceptance_of(outcomes, np.arange(number))
    assert apart == acceptance_of(outcomes)
    assert apart.thresholds[threshold_95].num_documents == number
    twins = np.arange(number) - np.isin(np.arange(number), [1])
    assert acceptance_of(outcomes, twins).thresholds[threshold_95].threshold is None


def test_what_cannot_be_promised_is_not() -> None:
    right = np.ones(58, dtype=bool)
    # 58 documents without a mistake show 94.9 %, 59 show 95 %.
    assert certify(np.full(58, 0.99), right, 0.95).threshold is None
    assert certify(np.full(59, 0.99), np.ones(59, dtype=bool), 0.95).threshold is not None
    assert certify(np.full(500, 0.99), np.zeros(500, dtype=bool), 0.9).threshold is None
    assert certify(np.array([]), np.array([], dtype=bool), 0.9).threshold is None


def test_a_wrong_label_among_the_surest_documents_does_not_end_the_search() -> None:
    confidence = np.linspace(1, 0.5, 2_000)
    correct = np.arange(2_000) < 1_500
    correct[[3, 20]] = False
    assert certify(confidence, correct, 0.95).num_documents > 1_400


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9, 0.91, 1.0]), st.booleans()), min_size=1))
def test_a_curve_rises_to_all_documents_and_ends_at_the_accuracy(
    drawn: list[tuple[float, bool]],
) -> None:
    confidence, correct = (np.array(part) for part in zip(*drawn, strict=True))
    curve = coverage_curve(confidence, correct)
    assert (np.diff([point.accepted for point in curve]) > 0).all()
    assert (np.diff([point.threshold for point in curve]) < 0).all()
    assert curve[-1].accepted == 1
    assert curve[-1].accuracy == pytest.approx(correct.mean())
    for point in curve:
        assert (confidence >= point.threshold).mean() == pytest.approx(point.accepted)


def test_a_curve_of_many_documents_has_few_points() -> None:
    random = np.random.default_rng(0)
    curve = coverage_curve(random.random(10_000), random.random(10_000) < 0.5)
    assert 90 <= len(curve) <= 101
