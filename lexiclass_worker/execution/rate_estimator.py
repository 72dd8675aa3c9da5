"""How fast a stage goes, and when it should be done."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 30.0

# From less, a speed would be a guess.
_SHORTEST_S: Final = 0.5


class RateEstimator:
    """A stage's speed: the mean over its last half minute.

    The mean of the whole stage would remember for ever what is not typical of it: libraries that
    load, documents that are passed over because they have not changed. A moving average that
    weights reports exponentially depends on how often is reported, and jumps where hundreds of
    documents are reported at a time. A window that always holds the two newest reports does
    neither.

    Args:
        clock: Seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = clock()
        self._reports: deque[tuple[float, int]] = deque(maxlen=1_000)

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return self._clock() - self._began_at

    def note(self, done: int) -> None:
        """Take in how many units are done."""
        now, reports = self._clock(), self._reports
        reports.append((now, done))
        while len(reports) > 2 and reports[1][0] <= now - WINDOW_S:
            reports.popleft()

    @property
    def rate(self) -> float | None:
        """Units a second; None while it is too early to tell."""
        if not self._reports:
            return None
        (first_at, first), (last_at, last) = self._reports[0], self._reports[-1]
        if last <= first or last_at - first_at < _SHORTEST_S:
            return None
        return (last - first) / (last_at - first_at)

    def eta_s(self, total: int) -> float | None:
        """Seconds until so many units are done; None while it is too early to tell."""
        if (rate := self.rate) is None:
            return None
        last_at, last = self._reports[-1]
        return max(0.0, (total - last) / rate - (self._clock() - last_at))
