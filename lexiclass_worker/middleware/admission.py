"""Keeps what a worker process knows of pauses and limits fresh."""

import asyncio
from typing import Final

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.tasks import admission
from lexiclass_worker.causes import cause_of
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.queueing.admission import AdmissionControl, AdmissionSnapshot, group_of

# A paused queue stops, and a training goes on where another has ended, within so much.
_INTERVAL_S: Final = 0.5
_TIMEOUT_S: Final = 5.0


class AdmissionRefresh(BackgroundWork):
    """Asks PostgreSQL twice a second. Comes after Database, whose sessions it needs.

    While PostgreSQL does not answer, what it said last holds.
    """

    def __init__(self, database: Database, admission: AdmissionControl) -> None:
        super().__init__()
        self._database = database
        self._admission = admission
        self._is_published = False

    async def prepare(self) -> None:
        """Ask once."""
        await self._look()
        await self._publish()

    async def work(self) -> None:
        """Ask again and again."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self._look()
            await self._publish()

    async def _publish(self) -> None:
        """Say once what the limits are: autoscalers count no more than may run."""
        if self._is_published:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._database.sessions.begin() as session:
                await admission.publish_limits(session, self._admission.limits)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("Limits cannot be told to autoscalers: {error}", error=cause_of(error))
            return
        self._is_published = True

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._database.sessions() as session:
                paused = await admission.pauses(session)
                running = await admission.running_by_project(session, self._admission.limits)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("Pauses and limits cannot be read: {error}", error=cause_of(error))
            return
        self._admission.snapshot = AdmissionSnapshot(
            paused=frozenset(paused),
            running={group_of(*group): count for group, count in running.items()},
        )
