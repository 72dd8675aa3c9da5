"""Locks that workers on all machines respect: PostgreSQL's advisory locks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from lexiclass_core.db import SessionFactory

_POLL_S: Final = 0.5


class Office:
    """What one process at a time holds, as long as the server hears of it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def confirm(self) -> None:
        """Say that this process still holds it.

        Raises:
            SQLAlchemyError: If it does not any more.
        """
        async with self._turn:
            await self._connection.execute(_PING)


@asynccontextmanager
async def index_lock(
    sessions: SessionFactory, project_id: int, *, silence_s: float
) -> AsyncIterator[Office]:
    """Hold a project's index for one writer; others wait, readers do not.

    It ends with the worker, however that ends, and when the worker is stopped for longer than
    ``silence_s``: ask for :meth:`Office.confirm` before anything is changed that others see.
    """
    while True:
        async with leadership(sessions, f"index {project_id}", silence_s=silence_s) as office:
            if office is not None:
                reporting = asyncio.create_task(_report(office, silence_s / 3))
                try:
                    yield office
                finally:
                    reporting.cancel()
                    # A ping in the middle of its statement has to let the connection go first.
                    await asyncio.wait({reporting})
                return
        # Asked for again and again rather than waited for: a statement has a time limit.
        await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def leadership(
    sessions: SessionFactory, office: str, *, silence_s: float
) -> AsyncIterator[Office | None]:
    """Hold an office, or get None while another process holds it.

    It belongs to a connection of its own and ends with it: with the process, or when the server
    has not heard of it for ``silence_s`` seconds.
    """
    engine = sessions.kw["bind"]
    if not isinstance(engine, AsyncEngine):
        raise TypeError("the session factory is bound to no engine")
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(_TRY_LOCK, {"name": f"lexiclass {office}"}):
            yield None
            return
        try:
            await connection.execute(_END_WHEN_SILENT, {"ms": str(round(silence_s * 1000))})
            yield Office(connection)
        finally:
            # Closed rather than unlocked: nobody else is to get it with this time limit.
            await connection.invalidate()


async def _report(office: Office, interval_s: float) -> None:
    """Be heard of, until the office is lost; whoever holds it finds out when it asks."""
    with suppress(SQLAlchemyError, OSError):
        while True:
            await asyncio.sleep(interval_s)
            await office.confirm()


_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_PING: Final = text("SELECT 1")
_END_WHEN_SILENT: Final = text("SELECT set_config('idle_session_timeout', :ms, false)")
