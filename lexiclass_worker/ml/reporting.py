"""Telling the worker how far the work is."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

_EVERY: Final = 256


class Report(Protocol):
    """How a function of ml/ tells what it has done so far."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Report ``done`` of ``total`` units of a stage."""
        ...


def counted(items: Iterable[T], report: Report, stage: str, total: int) -> Iterator[T]:
    """Pass items on, reporting now and then how many there were."""
    report(stage, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        if done % _EVERY == 0:
            report(stage, done, total)
    report(stage, total, total)
