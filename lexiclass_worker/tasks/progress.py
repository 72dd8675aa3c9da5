"""Progress of a running task, written to its row from time to time."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.db import SessionFactory
from lexiclass_worker.repositories import tasks
from lexiclass_worker.repositories.leases import Lease

_WRITE_INTERVAL_S: Final = 1.0


class Progress:
    """How far an operation is, in percent of its planned stages.

    On its own it only counts; :class:`ProgressWriter` carries it to the task row.
    """

    def __init__(self) -> None:
        self.percent = 0
        self.stage = ""
        self._spans: dict[str, tuple[float, float]] = {}

    def plan(self, weights: Mapping[str, float]) -> None:
        """Name the stages in order, each with its share of the time; shares need not add up."""
        total = sum(weights.values())
        begin = 0.0
        self._spans = {}
        for stage, weight in weights.items():
            end = begin + 100 * weight / total
            self._spans[stage] = (begin, end)
            begin = end

    def report(self, stage: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` units of a stage are done. Percent never goes back."""
        self.stage = stage
        begin, end = self._spans.get(stage, (self.percent, self.percent))
        fraction = done / total if total > 0 else 1.0
        # 100 % is said by the task's success alone.
        self.percent = min(99, max(self.percent, int(begin + (end - begin) * fraction)))


class ProgressWriter:
    """Writes a task's progress to its row at most once a second, and only when it moved."""

    def __init__(self, progress: Progress, sessions: SessionFactory, lease: Lease) -> None:
        self._progress = progress
        self._sessions = sessions
        self._lease = lease
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write_from_time_to_time())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _write_from_time_to_time(self) -> None:
        written = (0, "")
        while True:
            await asyncio.sleep(_WRITE_INTERVAL_S)
            current = (self._progress.percent, self._progress.stage)
            if current == written:
                continue
            started = time.monotonic()
            try:
                async with self._sessions.begin() as session:
                    await tasks.set_progress(session, self._lease, *current)
            except (SQLAlchemyError, OSError) as error:
                # Progress is a courtesy: the work goes on, and the next write may succeed.
                logger.warning(
                    "Could not write progress after {seconds:.1f} s: {error}",
                    seconds=time.monotonic() - started,
                    error=type(error).__name__,
                )
            else:
                written = current
