"""How many pages are kept up to date at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MOST_OF_ONE: Final = 10


class Streams:
    """Pages that are kept up to date, by whom they are for: nobody takes all of them.

    Args:
        most: Of all people together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[str] = Counter()

    def has_room(self, name: str) -> bool:
        """Whether somebody may have one more: ten at most, and no more than there are."""
        return self._of.total() < self._most and self._of[name] < _MOST_OF_ONE

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """One more for the time of a ``with`` block."""
        self._of[name] += 1
        try:
            yield
        finally:
            self._of[name] -= 1
            self._of += Counter()  # forgets those who have none
