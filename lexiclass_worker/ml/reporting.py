"""Telling the worker how far the work is."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

# Often enough to watch, and to say where a child died; too seldom to cost anything.
_EVERY_S: Final = 0.2


class Report(Protocol):
    """How a function of ml/ tells what it has done so far, as often as it likes."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Report ``done`` of ``total`` units of a stage."""
        ...


def throttle(report: Report) -> Report:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A generation of an index that is about to become the current one.

    Attributes:
        name: Of the index.
        current: SHA-256 of the manifest that is there now; None if there is none.
        next: SHA-256 of the manifest that will be there.
    """

    name: str
    current: str | None
    next: str


class AskForDigests(Protocol):
    """How a function of ml/ learns which manifests an index may have by now."""

    def ask_for_digests(self, name: str, /) -> Sequence[str] | None:
        """Their SHA-256; None if nothing is known of the index, and it is used all the same."""
        ...


class Supervision(Report, AskForDigests, Protocol):
    """What a function of ml/ is given that reads indexes, or changes files others read."""

    def ask_to_publish(self, publication: Publication | None = None, /) -> None:
        """Wait until the worker says that the task is still its own.

        A worker that was stopped for so long that another has taken the task over does not say so.

        Args:
            publication: What the worker is to keep before: readers take no other manifest.
        """
        ...


def counted(items: Iterable[T], report: Report, stage: str, total: int) -> Iterator[T]:
    """Pass items on, reporting how many there were."""
    report(stage, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(stage, done, total)
    report(stage, total, total)
