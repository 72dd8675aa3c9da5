"""Telling the worker how far the work is, and not too often."""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from lexiclass_worker.jobs.supervision import ReportProgress

T = TypeVar("T")

# Often enough to watch, and to say where a child died; too seldom to cost anything.
_EVERY_S: Final = 0.2


def throttle(report: ReportProgress) -> ReportProgress:
    """Pass a report on if it is the first or the last of its stage, or some time has gone by."""
    reported_stage, reported_at = "", 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal reported_stage, reported_at
        now = time.monotonic()
        if stage == reported_stage and done < total and now - reported_at < _EVERY_S:
            return
        report(stage, done, total)
        reported_stage, reported_at = stage, now

    return tell


def counted(items: Iterable[T], report: ReportProgress, stage: str, total: int) -> Iterator[T]:
    """Pass items on, reporting how many there were."""
    report(stage, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(stage, done, total)
    report(stage, total, total)
