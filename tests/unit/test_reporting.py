"""What a child tells of its progress."""

import time

import pytest

from lexiclass_worker.ml.reporting import counted, throttle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that reports are made at, to be moved on by hand."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def reports(clock: list[float], seconds: list[float]) -> list[tuple[str, int, int]]:
    seen: list[tuple[str, int, int]] = []
    tell = throttle(lambda *report: seen.append(report))
    for taken in counted(seconds, tell, "read", len(seconds)):
        clock[0] += taken
    return seen


def test_quick_work_is_reported_seldom(clock: list[float]) -> None:
    seen = reports(clock, [0.0001] * 100_000)

    assert (seen[0], seen[-1]) == (("read", 0, 100_000), ("read", 100_000, 100_000))
    assert 45 < len(seen) < 55


def test_slow_work_is_reported_as_it_goes(clock: list[float]) -> None:
    assert reports(clock, [0.21] * 3) == [
        ("read", 0, 3), ("read", 1, 3), ("read", 2, 3), ("read", 3, 3), ("read", 3, 3),
    ]  # fmt: skip


def test_no_work_is_reported_too(clock: list[float]) -> None:
    assert reports(clock, []) == [("read", 0, 0), ("read", 0, 0)]


def test_the_first_and_the_last_of_each_stage_are_reported_at_once(clock: list[float]) -> None:
    seen: list[tuple[str, int, int]] = []
    tell = throttle(lambda *report: seen.append(report))

    for report in [("a", 0, 9), ("a", 5, 9), ("a", 9, 9), ("b", 0, 9), ("b", 1, 9), ("c", 7, 9)]:
        tell(*report)

    assert seen == [("a", 0, 9), ("a", 9, 9), ("b", 0, 9), ("c", 7, 9)]
