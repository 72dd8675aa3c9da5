"""Rows in batches, each small enough to be sent as one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

_Row = TypeVar("_Row")

_MOST_ROWS: Final = 500
_MOST_CHARACTERS: Final = 2**24


def in_batches(rows: Iterable[_Row], num_characters: Callable[[_Row], int]) -> Iterator[list[_Row]]:
    """Return rows in lists of 500 at most, and of 16 million characters but for the last row."""
    batch: list[_Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += num_characters(row)
        if len(batch) == _MOST_ROWS or size >= _MOST_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
