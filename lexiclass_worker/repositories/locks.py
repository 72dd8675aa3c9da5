"""Locks that workers on all machines respect: PostgreSQL's advisory locks.

Each belongs to a transaction that is open for as long as it is held. One of a session would stay
in the pool of a pooler such as PgBouncer, which gives each transaction another session. The
transaction reads and writes nothing: it keeps no snapshot that VACUUM would have to respect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from lexiclass_core.background import end
from lexiclass_core.db import SessionFactory
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_worker.errors import DatabaseUnavailable

_POLL_S: Final = 0.5


class AdvisoryLock:
    """A lock that one process at a time holds, as long as the server hears of it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def confirm(self) -> None:
        """Say that this process still holds it.

        Raises:
            SQLAlchemyError: If it does not any more.
            DatabaseUnavailable: If the server has become read-only: another one gives the locks.
        """
        async with self._turn:
            if await self._connection.scalar(_IS_READ_ONLY):
                await self._connection.invalidate()
                raise DatabaseUnavailable(
                    "PostgreSQL has become read-only: locks that are held on it count no more"
                )


@asynccontextmanager
async def index_lock(
    sessions: SessionFactory, project_id: int, *, silence_s: float, is_shared: bool = False
) -> AsyncIterator[AdvisoryLock]:
    """Hold a project's index for one writer; others wait, readers do not.

    With ``is_shared``, for one of those who prepare what a writer will use: any number at a time,
    but none beside a writer.

    It ends with the worker, however that ends, and when the worker is stopped for longer than
    ``silence_s``: ask for :meth:`AdvisoryLock.confirm` before anything is changed that others see.
    """
    while True:
        async with try_lock(
            sessions, f"index {project_id}", silence_s=silence_s, is_shared=is_shared
        ) as lock:
            if lock is not None:
                reporting = asyncio.create_task(_report(lock, silence_s / 3))
                try:
                    yield lock
                finally:
                    # A ping in the middle of its statement has to let the connection go first.
                    await end(reporting)
                return
        # Asked for again and again rather than waited for: a statement has a time limit.
        await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def try_lock(
    sessions: SessionFactory, name: str, *, silence_s: float, is_shared: bool = False
) -> AsyncIterator[AdvisoryLock | None]:
    """Hold a lock, or get None while another process holds it; shared with those who share it.

    It belongs to a transaction of its own and ends with it: with the process, or when the server
    has not heard of it for ``silence_s`` seconds.
    """
    engine = sessions.kw["bind"]
    if not isinstance(engine, AsyncEngine):
        raise TypeError("the session factory is bound to no engine")
    async with engine.connect() as connection:
        statement = _TRY_SHARED_LOCK if is_shared else _TRY_LOCK
        if not await connection.scalar(statement, {"name": f"lexiclass {name}"}):
            yield None
            return
        await connection.execute(_END_WHEN_SILENT, {"ms": str(round(silence_s * 1000))})
        yield AdvisoryLock(connection)


async def _report(lock: AdvisoryLock, interval_s: float) -> None:
    """Be heard of, until the lock is lost; its holder finds out when it asks."""
    with suppress(*DATABASE_ERRORS, OSError, DatabaseUnavailable):
        while True:
            await asyncio.sleep(interval_s)
            await lock.confirm()


_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_TRY_SHARED_LOCK: Final = text(
    "SELECT pg_try_advisory_xact_lock_shared(hashtextextended(:name, 0))"
)
_END_WHEN_SILENT: Final = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :ms, true)"
)
# Not transaction_read_only, which stays what it was when the transaction began.
_IS_READ_ONLY: Final = text(
    "SELECT current_setting('default_transaction_read_only')::boolean OR pg_is_in_recovery()"
)
