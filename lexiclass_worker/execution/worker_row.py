"""What a worker process says of itself to all others, by its row in the database."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from loguru import logger

from lexiclass_core.db import SessionFactory, single_statements
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_worker.causes import cause_of
from lexiclass_worker.repositories import plugins, workers
from lexiclass_worker.repositories.workers import Identity

_LEAVE_TIMEOUT_S: Final = 1.0


class WorkerRow:
    """Keeps the row of one worker process.

    While the database is away it notes since when, and says so once it is back: leases that lapsed
    meanwhile are no sign of a crash.
    """

    def __init__(self, sessions: SessionFactory, identity: Identity) -> None:
        self._sessions = sessions
        self._identity = identity
        self._reached_at = time.monotonic()
        self._is_away = False
        self._turn = asyncio.Lock()

    async def beat(self) -> None:
        """Say that this process is there; a database that is away is logged once."""
        async with self._turn:
            away_s = time.monotonic() - self._reached_at if self._is_away else None
            try:
                async with single_statements(self._sessions) as session:
                    await workers.beat(session, self._identity, away_s=away_s)
            except (*DATABASE_ERRORS, OSError) as error:
                if not self._is_away:
                    logger.warning("The worker cannot be registered: {}", cause_of(error))
                self._is_away = True
                return
            self._is_away = False
            self._reached_at = time.monotonic()

    async def catch_up(self) -> None:
        """Say so at once if the database was away: before the next lease is taken."""
        if self._is_away:
            await self.beat()

    async def publish_plugins(self, catalog: Mapping[str, Any]) -> None:
        """Tell others which plugins this worker has, and go on telling it.

        Raises:
            SQLAlchemyError: If the database is away.
            OSError: Likewise.
        """
        async with self._turn:
            async with self._sessions.begin() as session:
                digest = await plugins.publish(session, self._identity.name, catalog)
            # For a row that is made anew.
            self._identity = replace(self._identity, plugins_digest=digest)

    async def leave(self) -> None:
        """Remove the row, if that is quickly done: a silent worker's is removed some time later."""
        try:
            async with (
                asyncio.timeout(_LEAVE_TIMEOUT_S),
                single_statements(self._sessions) as session,
            ):
                await workers.remove(session, self._identity.name)
        except (*DATABASE_ERRORS, OSError) as error:
            logger.warning("The worker is still registered: {}", cause_of(error))
