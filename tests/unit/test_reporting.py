"""What a child tells of its progress."""

import time

from lexiclass_worker.ml.reporting import counted


def reports(items: list[float]) -> list[tuple[str, int, int]]:
    seen: list[tuple[str, int, int]] = []

    def note(stage: str, done: int, total: int) -> None:
        seen.append((stage, done, total))

    for seconds in counted(items, note, "read", len(items)):
        if seconds:
            time.sleep(seconds)
    return seen


def test_quick_work_is_reported_seldom() -> None:
    seen = reports([0.0] * 100_000)

    assert (seen[0], seen[-1]) == (("read", 0, 100_000), ("read", 100_000, 100_000))
    assert len(seen) < 50


def test_slow_work_is_reported_as_it_goes() -> None:
    assert reports([0.21] * 3) == [
        ("read", 0, 3), ("read", 1, 3), ("read", 2, 3), ("read", 3, 3), ("read", 3, 3),
    ]  # fmt: skip


def test_no_work_is_reported_too() -> None:
    assert reports([]) == [("read", 0, 0), ("read", 0, 0)]
