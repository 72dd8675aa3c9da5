"""The reconciler, at work in one worker process at a time."""

import asyncio
import random
import time
from typing import Final

from loguru import logger
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.messages import Sender
from lexiclass_core.db import SessionFactory
from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import DatabaseUnavailable
from lexiclass_worker.execution.reconciler import Reconciler, ReconcilerReport
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.repositories.locks import try_lock
from lexiclass_worker.telemetry.counting import expect_reconciliations, note_reconciliation
from lexiclass_worker.telemetry.queues import connect

_TERM_S: Final = 600.0
_TRANSIENT: Final = (SQLAlchemyError, DatabaseUnavailable, RedisError, BrokerUnavailable, OSError)


class Reconciliation(BackgroundWork):
    """Elects a leader among all processes by an advisory lock; the leader reconciles.

    The others free the rows that stopped workers keep locked, for that may be the one.

    Comes after Database, whose sessions it needs.
    """

    def __init__(self, settings: Settings, database: Database, storage: Storage) -> None:
        super().__init__()
        self._settings = settings
        self._interval_s = settings.reconciler.interval_s
        self._database = database
        self._storage = storage

    async def work(self) -> None:
        """Stand for election, and reconcile while this process leads."""
        expect_reconciliations(ReconcilerReport().as_dict())
        sessions = self._database.sessions
        dramatiq = self._settings.dramatiq
        url = dramatiq.broker_url.get_secret_value()
        sender = Sender(url, dramatiq.namespace, dramatiq.signer)
        client = connect(url)
        reconciler = Reconciler(
            sessions=sessions,
            messages=MessageStore(client, dramatiq.namespace),
            send=sender.send,
            storage=self._storage,
            settings=self._settings.reconciler,
            rules=EntryRules(signer=dramatiq.signer, most_bytes=dramatiq.message_bytes),
        )
        try:
            while True:
                # Processes that start together do not ask together.
                await asyncio.sleep(self._interval_s * random.uniform(0.5, 1))  # noqa: S311
                try:
                    await self._lead(sessions, reconciler)
                except _TRANSIENT as error:
                    logger.warning("Tasks could not be reconciled: {error}", error=cause_of(error))
        finally:
            sender.close()
            client.close()

    async def _lead(self, sessions: SessionFactory, reconciler: Reconciler) -> None:
        """Reconcile from time to time, if no other process does, until something fails."""
        async with try_lock(sessions, "reconciler", silence_s=3 * self._interval_s + 10) as lock:
            if lock is None:
                # The process that has it may have stopped, with rows locked that others need.
                _log(await reconciler.end_stalled_sessions())
            # Then another may have it: no transaction should be open for days.
            until = time.monotonic() + _TERM_S
            while lock is not None and time.monotonic() < until:
                await lock.confirm()
                report = await reconciler.run()
                note_reconciliation({what: len(found) for what, found in report.as_dict().items()})
                _log(report)
                await asyncio.sleep(self._interval_s)


def _log(report: ReconcilerReport) -> None:
    if report:
        logger.warning("Reconciled: {report}", report=report.as_dict())
