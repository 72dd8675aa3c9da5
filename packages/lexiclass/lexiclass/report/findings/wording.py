"""Words of findings: numbers of documents and names of classes, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMED: Final = 5
_LONGEST_NAME: Final = 60


def documents(number: int) -> str:
    """So many test documents."""
    return counted(number, "test document", "test documents")


def are(number: int) -> str:
    """The verb that goes with so many."""
    return "is" if number == 1 else "are"


def counted(number: int, one: str, several: str) -> str:
    """So many of something."""
    return f"{number:,} {one if number == 1 else several}"


def named(found: Sequence[tuple[str, int]]) -> str:
    """Name some classes and their documents, those with the most first."""
    largest = sorted(found, key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{short(name)} ({number:,})" for name, number in largest[:_NAMED])
    more = len(largest) - _NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def short(name: str) -> str:
    """A name, cut where it is long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
