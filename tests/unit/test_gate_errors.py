"""How often gates are wrong, in simulations: seldom, whatever the number of test documents."""

import numpy as np
import pytest

from lexiclass.report.comparison import compare_predictions
from lexiclass.report.paired import accuracy_difference
from lexiclass_core.gates import GateFigures, Gates, Outcome, PairedDifference, judge
from lexiclass_worker.ml.gating import difference_figures

DRAWS = 1_000


def outcomes_of_accuracy(
    number: int, broken: float, fixed: float, limit: float
) -> dict[Outcome, float]:
    random = np.random.default_rng([number, 5])
    gates, counts = Gates(max_accuracy_loss=limit), dict.fromkeys(Outcome, 0)
    for first, second, _ in random.multinomial(number, (broken, fixed, 1 - broken - fixed), DRAWS):
        found = accuracy_difference(int(first), int(second), number)
        accuracy = PairedDifference(
            value=found.value, low=found.interval.low, high=found.interval.high
        )
        judged = judge(gates, GateFigures(against=1, accuracy=accuracy), against=1)
        counts[judged.verdicts[0].outcome] += 1
    return {outcome: count / DRAWS for outcome, count in counts.items()}


@pytest.mark.parametrize("number", [100, 1_000, 10_000])
@pytest.mark.parametrize("limit", [0, 0.01, 0.03])
def test_what_loses_just_too_much_seldom_passes_and_what_is_just_within_seldom_fails(
    number: int, limit: float
) -> None:
    # The true loss is the limit: either verdict would be wrong by a hair.
    found = outcomes_of_accuracy(number, 0.04 + limit, 0.04, limit)

    assert found[Outcome.PASSED] <= 0.04
    assert found[Outcome.FAILED] <= 0.04


def test_with_enough_documents_gates_can_tell() -> None:
    as_good = outcomes_of_accuracy(10_000, 0.04, 0.04, 0.01)
    worse = outcomes_of_accuracy(10_000, 0.06, 0.04, 0.01)

    assert as_good[Outcome.PASSED] > 0.9
    assert worse[Outcome.FAILED] > 0.9


@pytest.mark.slow
def test_no_class_of_many_seems_worse_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexiclass.report.paired.PERMUTATIONS", 1_000)
    random = np.random.default_rng(11)
    names = [f"class {number}" for number in range(20)]
    gates, draws, failed, number = Gates(max_class_f1_loss=0), 200, 0, 1_000
    for _ in range(draws):
        true = random.integers(len(names), size=number)
        wrong = (true + random.integers(1, len(names), size=number)) % len(names)
        first, second = (np.where(random.random(number) < 0.9, true, wrong) for _ in range(2))
        found = compare_predictions(
            *([names[code] for code in codes] for codes in (true, first, second))
        )
        figures = GateFigures(against=1, **difference_figures(found))
        failed += judge(gates, figures, against=1).verdicts[0].outcome is Outcome.FAILED
    assert failed / draws <= 0.07
