"""How fast a stage goes and when it is done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_worker.execution.progress import Progress
from lexiclass_worker.execution.rate_estimator import WINDOW_S, RateEstimator


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def report(estimator: RateEstimator, clock: Clock, *steps: tuple[float, int]) -> None:
    """Report after so many seconds that so many units are done."""
    for seconds, done in steps:
        clock.now += seconds
        estimator.note(done)


def test_a_steady_stage_has_its_speed_and_counts_down_between_reports(clock: Clock) -> None:
    estimator = RateEstimator(clock)
    report(estimator, clock, (0, 0), *((1, 10 * second) for second in range(1, 11)))

    assert estimator.rate == pytest.approx(10)
    assert estimator.eta_s(200) == pytest.approx(10)
    clock.now += 4
    assert estimator.eta_s(200) == pytest.approx(6)
    clock.now += 60
    assert estimator.eta_s(200) == 0


def test_it_is_too_early_to_tell_at_first(clock: Clock) -> None:
    estimator = RateEstimator(clock)
    assert (estimator.rate, estimator.eta_s(5)) == (None, None)

    report(estimator, clock, (0, 0), (0.1, 3))
    assert (estimator.rate, estimator.eta_s(5)) == (None, None)


def test_what_was_passed_over_at_the_beginning_is_forgotten(clock: Clock) -> None:
    estimator = RateEstimator(clock)
    # Nine tenths have not changed; of the others five a second are done.
    report(
        estimator,
        clock,
        (0, 0),
        (0.2, 9_000),
        *((1, 9_000 + 5 * second) for second in range(1, 41)),
    )

    assert estimator.rate == pytest.approx(5)
    assert estimator.eta_s(10_000) == pytest.approx((10_000 - 9_200) / 5)


def test_large_steps_give_the_same_speed_as_small_ones(clock: Clock) -> None:
    estimator = RateEstimator(clock)
    report(estimator, clock, (0, 0), (20, 2_000), (20, 4_000), (20, 6_000))

    assert estimator.rate == pytest.approx(100)


def test_reports_further_apart_than_the_window_still_tell_a_speed(clock: Clock) -> None:
    estimator = RateEstimator(clock)
    report(estimator, clock, (0, 0), (10 * WINDOW_S, 30), (10 * WINDOW_S, 60))

    assert estimator.rate == pytest.approx(0.1)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1_000)), max_size=60))
def test_speed_and_time_left_are_never_negative(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    estimator = RateEstimator(clock)
    for seconds, done in steps:
        clock.now += seconds
        estimator.note(done)
        assert estimator.rate is None or estimator.rate > 0
        left = estimator.eta_s(1_000)
        assert left is None or left >= 0


def test_the_task_ends_when_its_longest_stage_and_what_follows_end(clock: Clock) -> None:
    progress = Progress(clock)
    progress.plan(
        {"read": 10, "predict": 80, "write": 10},
        units={"read": "documents", "predict": "documents"},
    )
    for seconds in range(11):
        clock.now = 1_000 + seconds
        progress.report("read", seconds, 20)
    # Nobody knows yet how long the predicting takes.
    assert (progress.read().eta_s, progress.read().task_eta_s) == (10, None)

    for seconds in range(21):
        clock.now = 2_000 + seconds
        progress.report("predict", 10 * seconds, 400)
    reading = progress.read()
    assert (reading.stage, reading.unit, reading.done, reading.total) == (
        "predict", "documents", 200, 400,
    )  # fmt: skip
    assert (reading.rate, reading.eta_s) == (10, 20)
    # 40 seconds are 80 parts, so 10 parts are 5.
    assert reading.task_eta_s == 25
    assert reading.percent == 50


def test_a_stage_has_a_speed_of_its_own(clock: Clock) -> None:
    progress = Progress(clock)
    progress.plan({"read": 1, "classifier": 1}, units={"classifier": "rounds"})
    for seconds in range(10):
        clock.now += 1
        progress.report("read", 100 * seconds, 1_000)
    clock.now += 1
    progress.report("classifier", 0, 5)

    reading = progress.read()
    assert (reading.unit, reading.rate, reading.eta_s) == ("rounds", None, None)


def test_a_stage_without_units_is_only_named(clock: Clock) -> None:
    progress = Progress(clock)
    progress.plan({"load": 1, "predict": 9}, units={"predict": "documents"})
    progress.report("load", 0, 1)

    reading = progress.read()
    assert (reading.stage, reading.unit, reading.done, reading.total) == ("load", None, None, None)
