"""How many wrong passwords somebody may still give."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Spent:
    """How much of an allowance is spent, as of a moment."""

    wrong: float
    at: float


class Allowances(Generic[Key]):
    """Counts wrong passwords by key: some at once, and then one at a time (a token bucket).

    Args:
        most: How many may be given at once.
        regained_s: Seconds after which one more may be given.
        most_keys: Of how many keys that is known; the one that was quiet for longest is forgotten.
        kept: Keys that are never forgotten.
    """

    def __init__(
        self, *, most: int, regained_s: float, most_keys: int, kept: Collection[Key] = ()
    ) -> None:
        self._most = most
        self._regained_s = regained_s
        self._most_keys = most_keys
        self._kept = kept
        self._spent: OrderedDict[Key, _Spent] = OrderedDict()

    def wait_s(self, key: Key, now: float) -> float:
        """Seconds until a password may be given; ``now`` is of a clock that never goes back."""
        return max(0.0, (self._wrong(key, now) - (self._most - 1)) * self._regained_s)

    def spend(self, key: Key, now: float) -> None:
        """Count a wrong password."""
        self._spent[key] = _Spent(self._wrong(key, now) + 1, now)
        self._spent.move_to_end(key)
        while len(self._spent) > self._most_keys + len(self._kept):
            oldest, spent = self._spent.popitem(last=False)
            if oldest in self._kept:
                self._spent[oldest] = spent

    def _wrong(self, key: Key, now: float) -> float:
        spent = self._spent.get(key)
        return 0.0 if spent is None else max(0.0, spent.wrong - (now - spent.at) / self._regained_s)
