"""Registers each worker process, and refuses tables that it cannot use."""

import asyncio
import os
import platform
from typing import Final

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from loguru import logger

import lexiclass_worker
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.db.schema import Schema, UnusableTables, read_schema
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.worker_row import WorkerRow
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.middleware.leases import Leases
from lexiclass_worker.repositories.workers import Identity
from lexiclass_worker.shown_settings import published_settings

_LOOK_TIMEOUT_S: Final = 5.0
_LONGEST_INTERVAL_S: Final = 5.0


class Registration(BackgroundWork):
    """Says every few seconds that the process is there. Comes after Database and Leases."""

    def __init__(self, database: Database, leases: Leases, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._database = database
        self._leases = leases
        self._registry: WorkerRow | None = None

    @property
    def registry(self) -> WorkerRow:
        """Where this process is registered.

        Raises:
            RuntimeError: Outside a booted worker.
        """
        if self._registry is None:
            raise RuntimeError("a process is registered in a booted worker only")
        return self._registry

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Look at the tables, and register.

        Raises:
            UnusableTables: If they are newer and do not serve this release.
        """
        thread = get_event_loop_thread()
        schema = thread.run_coroutine(self._look()) if thread is not None else None
        if schema is not None and schema.problem is not None:
            if schema.is_newer:
                raise UnusableTables(f"the tables are {schema.problem}")
            logger.warning("No task can be started: the tables are {}", schema.problem)
        queues = sorted(worker.consumer_whitelist or broker.get_declared_queues())
        self._registry = WorkerRow(
            self._database.sessions,
            Identity(
                name=self._leases.keeper.name,
                host=platform.node(),
                pid=os.getpid(),
                group_pid=os.getppid(),
                queues=queues,
                # Without those that Tuning has added, one for each further queue.
                threads=worker.worker_threads - len(queues) + 1,
                version=lexiclass_worker.__version__,
                settings=published_settings(self._settings),
            ),
        )
        super().before_worker_boot(broker, worker)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Remove the row before the engine and the loop go."""
        super().after_worker_shutdown(broker, worker)
        if self._registry is not None and (thread := get_event_loop_thread()) is not None:
            thread.run_coroutine(self._registry.leave())
        self._registry = None

    async def prepare(self) -> None:
        """Say it once, before the first lease is taken."""
        await self.registry.beat()

    async def work(self) -> None:
        """Say it again and again: so often that a lease in doubt is never half its time old."""
        interval_s = min(_LONGEST_INTERVAL_S, self._leases.keeper.holder.duration_s / 4)
        while True:
            await asyncio.sleep(interval_s)
            await self.registry.beat()

    async def _look(self) -> Schema | None:
        try:
            async with asyncio.timeout(_LOOK_TIMEOUT_S), self._database.sessions() as session:
                return await read_schema(await session.connection())
        except (*DATABASE_ERRORS, OSError) as error:
            logger.warning("The tables cannot be looked at: {}", cause_of(error))
            return None
