"""Lines that are repeated: said once, then counted."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

LineT = TypeVar("LineT")

_INTERVAL_S: Final = 60.0

# What one process says over and over are a few lines for each server that is away.
_CAPACITY: Final = 256


@dataclass(slots=True)
class Repetition(Generic[LineT]):
    """A line that came again after it was said.

    Attributes:
        line: As it came last.
        count: How often, since it was said or counted last.
        seconds: For how long it was counted.
    """

    line: LineT
    count: int
    seconds: float


@dataclass(slots=True)
class _Said(Generic[LineT]):
    line: LineT
    since: float
    count: int = 0


@dataclass(slots=True)
class Throttle(Generic[LineT]):
    """Lets a line through the first time, and says once a minute how often it came since.

    It remembers the lines of the last minute, of which it holds a few hundred at most: of more, the
    oldest are forgotten. Not for use by several threads at a time.

    Attributes:
        interval_s: Seconds for which a line is counted.
        clock: A monotonic clock, in seconds.
    """

    interval_s: float = _INTERVAL_S
    clock: Callable[[], float] = time.monotonic
    _said: OrderedDict[Hashable, _Said[LineT]] = field(default_factory=OrderedDict, init=False)

    def lets_through(self, key: Hashable, line: LineT) -> bool:
        """Whether a line is to be said; one that is not is counted.

        Two lines of one ``key`` are the same.
        """
        said = self._said.get(key)
        if said is None:
            self._said[key] = _Said(line, self.clock())
            return True
        said.count += 1
        said.line = line
        return False

    def repetitions(self) -> Iterator[Repetition[LineT]]:
        """What was counted for long enough, to be said now; ask before each line."""
        now = self.clock()
        while self._said:
            key, said = next(iter(self._said.items()))
            is_due = now - said.since >= self.interval_s
            if not is_due and len(self._said) <= _CAPACITY:
                return
            # The oldest is the first, also after it was counted.
            del self._said[key]
            if said.count:
                if is_due:
                    self._said[key] = _Said(said.line, now)
                yield Repetition(said.line, said.count, now - said.since)
