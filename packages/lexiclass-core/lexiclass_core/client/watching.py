"""Watching a task: its row, and what its worker tells in between."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Protocol

from lexiclass_core.events import TaskEvent
from lexiclass_core.models import TaskStatus

# However much is told: it may be told by a worker that has lost the task and does not know it yet.
_LONGEST_WITHOUT_ROW_S: Final = 5.0


class News(Protocol):
    """What comes in about one task."""

    async def next(self, timeout_s: float) -> TaskEvent | None:
        """The next event; None if it is time to look at the row, or the row has changed."""


async def watch(
    look: Callable[[], Awaitable[TaskEvent]],
    news: News,
    *,
    poll_interval_s: float,
    timeout_s: float | None,
) -> AsyncGenerator[TaskEvent]:
    """Events of a task, from its state now to its end, which is always the row's.

    ``news`` listens already: what is told between two looks is not missed. After
    ``poll_interval_s`` without any the row is looked at.

    Raises:
        TimeoutError: If the task is not final in time.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout_s is None else loop.time() + timeout_s
    view = View()
    while True:
        event = await look()
        if (seen := view.of_row(event)) is not None:
            yield seen
        if event.status.is_final:
            return
        looked_at = loop.time()
        while loop.time() - looked_at < _LONGEST_WITHOUT_ROW_S:
            left_s = math.inf if deadline is None else deadline - loop.time()
            if left_s <= 0:
                raise TimeoutError(f"task {event.task_id} is not final after {timeout_s:g} s")
            told = await news.next(min(poll_interval_s, left_s))
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
