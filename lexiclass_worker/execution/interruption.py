"""Ends the work of an attempt, for a reason."""

import asyncio
from types import TracebackType
from typing import Self


class Interruption:
    """A block of work that can be stopped from outside, and that ends with the reason given.

    ``asyncio.timeout`` for any reason: :meth:`stop` cancels the work inside, and the reason is
    raised in place of the cancellation. A cancellation that comes from elsewhere, as that of a
    shutdown, goes on as it is. May be entered once.
    """

    def __init__(self) -> None:
        self.reason: Exception | None = None
        """Why the work was stopped, from the moment that it was."""
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._is_settled = False

    def stop(self, reason: Exception) -> None:
        """Stop the work; the first reason counts, and none after the work has ended or settled."""
        if self._task is not None and self.reason is None and not self._is_settled:
            self.reason = reason
            self._task.cancel()

    def settle(self) -> None:
        """Let the rest of the work be: what it was about is committed, and it only tidies up."""
        self._is_settled = True

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("work can be stopped inside an asyncio task only")
        self._task, self._cancelling = task, task.cancelling()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        if task is None or self.reason is None:
            return
        if exc_type is None:
            # The work ended before it felt the cancellation, which must not hit what comes next.
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                exc_type = asyncio.CancelledError
        if task.uncancel() <= self._cancelling and exc_type is asyncio.CancelledError:
            raise self.reason from exc
