"""Watching a task: its row, and what its worker tells in between."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from lexiclass_core.events import TaskEvent
from lexiclass_core.models import TaskStatus

# However much is told: it may be told by a worker that has lost the task and does not know it yet.
_LONGEST_WITHOUT_ROW_S: Final = 5.0

LOOK_S: Final = 0.5
"""What a look may take where no time is left: whoever waits 0 s looks once."""


class News(Protocol):
    """What comes in about one task."""

    async def next(self, timeout_s: float) -> TaskEvent | None:
        """The next event; None if it is time to look at the row, or the row has changed."""


class Patience:
    """How long somebody waits for a task to be final, from now on.

    Args:
        task: Row id or message id.
        timeout_s: Longest wait in seconds; None for as long as it takes.

    Attributes:
        last: What it was when it was seen last.
    """

    def __init__(self, task: int | str, timeout_s: float | None) -> None:
        self.last: TaskStatus | None = None
        self._task, self._timeout_s = task, timeout_s
        now = asyncio.get_running_loop().time()
        self._deadline = None if timeout_s is None else now + timeout_s

    def left_s(self) -> float:
        """Seconds that are left; 0 and less are none."""
        if self._deadline is None:
            return math.inf
        return self._deadline - asyncio.get_running_loop().time()

    def error(self) -> TimeoutError:
        """What is raised when none are left."""
        state = "it could not be looked at" if self.last is None else f"it is {self.last.value}"
        return TimeoutError(
            f"task {self._task!r} is not final after {self._timeout_s:g} s: {state}"
        )

    @asynccontextmanager
    async def bounds(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel what is within a ``with`` block when the time is up, though not within a grace.

        Raises:
            TimeoutError: See :meth:`error`.
        """
        graced = asyncio.get_running_loop().time() + grace_s
        bound = asyncio.timeout_at(None if self._deadline is None else max(self._deadline, graced))
        try:
            async with bound:
                yield
        except TimeoutError:
            if bound.expired():
                raise self.error() from None
            raise


async def watch(
    look: Callable[[], Awaitable[TaskEvent]],
    news: News,
    *,
    poll_interval_s: float,
    patience: Patience,
) -> AsyncGenerator[TaskEvent]:
    """Events of a task, from its state now to its end, which is always the row's.

    ``news`` listens already: what is told between two looks is not missed. After
    ``poll_interval_s`` without any the row is looked at.

    Raises:
        TimeoutError: If the task is not final in time.
    """
    loop = asyncio.get_running_loop()
    view = View()
    while True:
        async with patience.bounds(LOOK_S):
            event = await look()
        patience.last = event.status
        if (seen := view.of_row(event)) is not None:
            yield seen
        if event.status.is_final:
            return
        looked_at = loop.time()
        while loop.time() - looked_at < _LONGEST_WITHOUT_ROW_S:
            if patience.left_s() <= 0:
                raise patience.error()
            async with patience.bounds(LOOK_S):
                told = await news.next(min(poll_interval_s, patience.left_s()))
            if told is None:
                break
            if (seen := view.of_worker(told)) is not None:
                yield seen


class View:
    """What a watcher has seen, so that nothing is shown twice and nothing goes back."""

    def __init__(self) -> None:
        self._last: TaskEvent | None = None
        self._ended_token = -1

    def of_row(self, event: TaskEvent) -> TaskEvent | None:
        """The event, if it tells something new: the row is behind what its worker tells."""
        last = self._last
        if event.status is not TaskStatus.STARTED:
            self._ended_token = event.token
        elif (
            last is not None
            and (last.token, last.status) == (event.token, event.status)
            and event.progress <= last.progress
        ):
            return None
        return self._show(event)

    def of_worker(self, event: TaskEvent) -> TaskEvent | None:
        """The event, unless it comes from an attempt that is known to have ended."""
        last = self._last
        if event.token <= self._ended_token or (last is not None and event.token < last.token):
            return None
        return self._show(event)

    def _show(self, event: TaskEvent) -> TaskEvent | None:
        if self._last is not None and event.tells_the_same_as(self._last):
            return None
        self._last = event
        return event
