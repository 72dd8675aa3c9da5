"""Tells how far a running task is: watchers through Redis, everybody through its row."""

import asyncio
import time
from typing import Final, Self

from loguru import logger

from lexiclass_core.background import end
from lexiclass_core.db import SessionFactory
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.events import TaskEvent
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.tasks.chunks import set_progress
from lexiclass_core.tasks.leases import Lease
from lexiclass_worker.causes import cause_of
from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.execution.progress import Progress, Reading

_TELL_INTERVAL_S: Final = 0.5
# Sooner than the event is too old: who listens knows that the worker lives.
_REPEAT_INTERVAL_S: Final = 5.0

# The first soon, for a crash leaves no more of its stage than the row has.
_FIRST_WRITE_S: Final = 1.0
_WRITE_INTERVAL_S: Final = 3.0


class ProgressPublisher:
    """Tells a task's progress for the time of an ``async with`` block, and only when it moved.

    Args:
        lease: Under which the row is written.
        live: Where watchers listen; None tells the row alone.
    """

    def __init__(
        self,
        progress: Progress,
        sessions: SessionFactory,
        lease: Lease,
        task: Task,
        live: LiveEvents | None,
    ) -> None:
        self._progress = progress
        self._sessions = sessions
        self._lease = lease
        self._task = task
        self._live = live
        self._telling: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._telling.add(asyncio.create_task(self._keep_writing()))
        if self._live is not None:
            self._telling.add(asyncio.create_task(self._keep_telling(self._live)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(*self._telling)

    async def _keep_telling(self, live: LiveEvents) -> None:
        told: tuple[object, ...] = ()
        told_at = 0.0
        while True:
            await asyncio.sleep(_TELL_INTERVAL_S)
            reading = self._progress.read()
            # Not the time that is left, which counts down by itself.
            moved = (reading.percent, reading.stage, reading.done, reading.total)
            if moved != told or time.monotonic() - told_at > _REPEAT_INTERVAL_S:
                await live.tell(self._event(reading))
                told, told_at = moved, time.monotonic()

    def _event(self, reading: Reading) -> TaskEvent:
        return TaskEvent(
            task_id=self._lease.task_id,
            status=TaskStatus.STARTED,
            progress=reading.percent,
            stage=reading.stage,
            unit=reading.unit,
            done=reading.done,
            total=reading.total,
            rate=reading.rate,
            eta_s=reading.eta_s,
            task_eta_s=reading.task_eta_s,
            attempt=self._task.attempts,
            max_attempts=self._task.max_attempts,
            token=self._lease.token,
        )

    async def _keep_writing(self) -> None:
        written = (0, "")
        await asyncio.sleep(_FIRST_WRITE_S)
        while True:
            current = (self._progress.percent, self._progress.stage)
            if current != written and await self._write(*current):
                written = current
            await asyncio.sleep(_WRITE_INTERVAL_S)

    async def _write(self, percent: int, stage: str) -> bool:
        started = time.monotonic()
        try:
            async with self._sessions.begin() as session:
                await set_progress(session, self._lease, percent, stage)
        except (*DATABASE_ERRORS, OSError) as error:
            # Progress is a courtesy: the work goes on, and the next write may succeed.
            logger.warning(
                "Could not write progress after {seconds:.1f} s: {error}",
                seconds=time.monotonic() - started,
                error=cause_of(error),
            )
            return False
        return True
