"""A difference between two models is found where there is one, and chance is taken for chance."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lexiclass import evaluate_decisions
from lexiclass.report.paired import (
    Differences,
    compare,
    documents_needed,
    holm,
    mcnemar,
)
from lexiclass.report.paired_confusion import PairedConfusion

NAMES = "abcd"

triples = st.lists(st.tuples(*[st.sampled_from(NAMES)] * 3), min_size=1, max_size=60)


def of_triples(drawn: Sequence[tuple[str, str, str]]) -> tuple[list[str], list[str], list[str]]:
    true, first, second = map(list, zip(*drawn, strict=True))
    return true, first, second


@given(triples)
def test_differences_are_those_of_the_evaluations(drawn: list[tuple[str, str, str]]) -> None:
    true, first, second = of_triples(drawn)
    paired = PairedConfusion.of(true, first, second)
    of_first, of_second = (
        evaluate_decisions(true, part, np.ones(len(true))) for part in (first, second)
    )

    found = compare(paired)

    assert found.accuracy.value == pytest.approx(of_second["accuracy"] - of_first["accuracy"])
    for number, name in enumerate(paired.classes):
        expected = [
            part["per_class_metrics"].get(name, {"f1_score": 0})["f1_score"]
            for part in (of_second, of_first)
        ]
        assert found.f1_scores[number].value == pytest.approx(expected[0] - expected[1])
    for each in (found.accuracy, found.macro_f1, *found.f1_scores):
        assert each.interval.low <= each.value + 1e-12
        assert each.value <= each.interval.high + 1e-12
        assert 0 < each.p_value <= 1


@given(st.lists(st.tuples(*[st.sampled_from(NAMES)] * 2), min_size=1, max_size=60))
def test_equal_predictions_differ_by_nothing(drawn: list[tuple[str, str]]) -> None:
    true, predicted = map(list, zip(*drawn, strict=True))
    found = compare(PairedConfusion.of(true, predicted, predicted))
    for each in (found.accuracy, found.macro_f1, *found.f1_scores):
        assert (each.value, each.p_value) == (0, 1)
        assert each.interval.low < 0 < each.interval.high


@given(triples)
def test_the_other_way_round_it_is_the_opposite(drawn: list[tuple[str, str, str]]) -> None:
    true, first, second = of_triples(drawn)
    found = compare(PairedConfusion.of(true, first, second))
    opposite = compare(PairedConfusion.of(true, second, first))
    assert opposite.macro_f1.value == pytest.approx(-found.macro_f1.value)
    assert opposite.macro_f1.interval.low == pytest.approx(-found.macro_f1.interval.high)
    assert opposite.accuracy.p_value == found.accuracy.p_value
    # Other permutations are drawn.
    assert opposite.macro_f1.p_value == pytest.approx(found.macro_f1.p_value, abs=0.05)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemars_test_is_the_exact_one(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_holms_adjustment_is_that_of_the_paper() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_as_many_documents_as_are_asked_for_show_the_difference() -> None:
    random = np.random.default_rng(5)
    number = documents_needed(20, 28, 1_000)
    assert number is not None
    shown = 0
    for _ in range(500):
        first, second = random.multinomial(number, (0.020, 0.028, 0.952))[:2]
        shown += mcnemar(int(first), int(second)) < 0.05
    assert 0.73 < shown / 500 < 0.87
    assert documents_needed(9, 9, 1_000) is None


# Documents, and the accuracies of both models.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "first", "second"), [(200, 0.8, 0.8), (300, 0.85, 0.9), (100, 0.97, 0.97)]
)
def test_intervals_hold_the_truth_and_equal_models_are_seldom_told_apart(
    number: int, first: float, second: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.report.paired.PERMUTATIONS", 400)
    random = np.random.default_rng([number, 7])
    truth = accuracies_and_f1(compare(draw(400_000, first, second, random)))
    held, found_different, sets = np.zeros(2), 0, 300
    for _ in range(sets):
        found = compare(draw(number, first, second, random))
        held += [
            each.interval.low <= true <= each.interval.high
            for each, true in zip((found.accuracy, found.macro_f1), truth, strict=True)
        ]
        found_different += found.macro_f1.p_value < 0.05
    assert (held / sets >= 0.93).all(), held / sets
    if first == second:
        assert found_different / sets <= 0.08
    else:
        assert found_different / sets >= 0.5


def accuracies_and_f1(found: Differences) -> tuple[float, float]:
    return found.accuracy.value, found.macro_f1.value


def draw(number: int, first: float, second: float, random: np.random.Generator) -> PairedConfusion:
    """Two models that share most of their mistakes."""
    true = random.integers(len(NAMES), size=number)
    luck = random.random(number)
    other_luck = np.where(random.random(number) < 0.7, luck, random.random(number))
    wrong = (true + random.integers(1, len(NAMES), size=number)) % len(NAMES)
    codes = (true, np.where(luck < first, true, wrong), np.where(other_luck < second, true, wrong))
    return PairedConfusion.of(*([NAMES[code] for code in part] for part in codes))


def test_the_p_value_of_many_differences_is_found_too() -> None:
    assert mcnemar(50_000, 51_000) == pytest.approx(
        stats.binomtest(50_000, 101_000).pvalue, rel=1e-6
    )
