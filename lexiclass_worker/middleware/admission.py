"""Keeps what a worker process knows of pauses and limits fresh."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Final

from loguru import logger

from lexiclass_core.db import SessionFactory
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.tasks import admission
from lexiclass_worker.causes import cause_of
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.queueing.admission import AdmissionControl, AdmissionSnapshot, group_of

# A paused queue stops, and a training goes on where another has ended, within so much.
_INTERVAL_S: Final = 0.5
_TIMEOUT_S: Final = 5.0

# Autoscalers do without limits meanwhile, and tasks need none of it.
_RETRY_S: Final = 60.0


class LimitsPublisher:
    """Says once what the limits are: autoscalers count no more than may run.

    Where that fails it is tried again after a pause, and logged once for each cause.

    Args:
        limits: Most tasks of an actor to run at a time on one project.
    """

    def __init__(self, limits: Mapping[str, int], *, retry_s: float = _RETRY_S) -> None:
        self._limits = limits
        self._retry_s = retry_s
        self._next_at: float | None = monotonic()
        self._cause = ""

    async def publish(self, sessions: SessionFactory) -> None:
        """Say it, unless that is done or not to be tried yet."""
        if self._next_at is None or monotonic() < self._next_at:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S), sessions.begin() as session:
                await admission.publish_limits(session, self._limits)
        except (*DATABASE_ERRORS, OSError) as error:
            self._next_at = monotonic() + self._retry_s
            if (cause := cause_of(error)) != self._cause:
                self._cause = cause
                logger.warning("Limits cannot be told to autoscalers: {error}", error=cause)
            return
        self._next_at = None


class AdmissionRefresh(BackgroundWork):
    """Asks PostgreSQL twice a second. Comes after Database, whose sessions it needs.

    While PostgreSQL does not answer, what it said last holds; each cause is logged once.
    """

    def __init__(self, database: Database, admission: AdmissionControl) -> None:
        super().__init__()
        self._database = database
        self._admission = admission
        self._limits = LimitsPublisher(admission.limits)
        self._cause = ""

    async def prepare(self) -> None:
        """Ask once."""
        await self._look()
        await self._limits.publish(self._database.sessions)

    async def work(self) -> None:
        """Ask again and again."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self._look()
            await self._limits.publish(self._database.sessions)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._database.sessions() as session:
                paused = await admission.pauses(session)
                running = await admission.running_by_project(session, self._admission.limits)
        except (*DATABASE_ERRORS, OSError) as error:
            if (cause := cause_of(error)) != self._cause:
                self._cause = cause
                logger.warning("Pauses and limits cannot be read: {error}", error=cause)
            return
        if self._cause:
            self._cause = ""
            logger.info("Pauses and limits are read again")
        self._admission.snapshot = AdmissionSnapshot(
            paused=frozenset(paused),
            running={group_of(*group): count for group, count in running.items()},
        )
