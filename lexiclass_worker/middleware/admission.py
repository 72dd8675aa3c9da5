"""Keeps what a worker process knows of pauses and limits fresh."""

import asyncio
import contextlib
from typing import Final

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware
from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_worker.middleware.database import Database
from lexiclass_worker.repositories import admission
from lexiclass_worker.tasks.gate import Gate, Standing, group_of

# A paused queue stops, and a training goes on where another has ended, within so much.
_INTERVAL_S: Final = 0.5
_TIMEOUT_S: Final = 5.0


class Admission(Middleware):
    """Asks PostgreSQL twice a second. Comes after Database, whose sessions it needs.

    While PostgreSQL does not answer, what it said last holds.

    Args:
        database: Where the sessions come from.
        gate: What is to be told.
    """

    def __init__(self, database: Database, gate: Gate) -> None:
        self._database = database
        self._gate = gate
        self._work: asyncio.Task[None] | None = None
        self._is_blind = False

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Ask once, before the first message is taken, then go on in the background."""
        del broker, worker
        if (thread := get_event_loop_thread()) is not None:
            self._work = thread.run_coroutine(self._begin())

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """End before the engine and the loop go."""
        del broker, worker
        if self._work is not None and (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(_end(self._work))
        self._work = None

    async def _begin(self) -> asyncio.Task[None]:
        await self._look()
        return asyncio.create_task(self._run(), name="admission")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self._look()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._database.sessions() as session:
                paused = await admission.pauses(session)
                running = await admission.running_by_project(session, self._gate.limited)
        except (SQLAlchemyError, OSError) as error:
            # Once, not twice a second.
            if not self._is_blind:
                logger.warning(
                    "Pauses and limits cannot be read: {error}", error=type(error).__name__
                )
            self._is_blind = True
            return
        self._is_blind = False
        self._gate.update(
            Standing(
                paused=frozenset(paused),
                running={group_of(*group): count for group, count in running.items()},
            )
        )


async def _end(work: asyncio.Task[None]) -> None:
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
