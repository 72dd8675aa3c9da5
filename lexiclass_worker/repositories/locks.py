"""Locks that workers on all machines respect: PostgreSQL's advisory locks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from lexiclass_core.db import SessionFactory

_POLL_S: Final = 0.5


@asynccontextmanager
async def index_lock(sessions: SessionFactory, project_id: int) -> AsyncIterator[None]:
    """Hold a project's index for one writer; others wait, readers do not.

    The lock belongs to a connection of its own, outside any transaction: it ends with the worker,
    however that ends.
    """
    engine = sessions.kw["bind"]
    if not isinstance(engine, AsyncEngine):
        raise TypeError("the session factory is bound to no engine")
    key = {"name": f"lexiclass index {project_id}"}
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await _lock(connection, key)
        try:
            yield
        finally:
            await connection.execute(_UNLOCK, key)


class Leadership:
    """An office that one process at a time holds, as long as it is heard of."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def confirm(self) -> None:
        """Say that this process still holds it.

        Raises:
            SQLAlchemyError: If it does not any more.
        """
        await self._connection.execute(_PING)


@asynccontextmanager
async def leadership(
    sessions: SessionFactory, office: str, *, silence_s: float
) -> AsyncIterator[Leadership | None]:
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
            yield Leadership(connection)
        finally:
            # Closed rather than unlocked: nobody else is to get it with this time limit.
            await connection.invalidate()


async def _lock(connection: AsyncConnection, key: dict[str, str]) -> None:
    # Asked for again and again rather than waited for: a statement has a time limit.
    while True:
        if await connection.scalar(_TRY_LOCK, key):
            return
        await asyncio.sleep(_POLL_S)


_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
_PING: Final = text("SELECT 1")
_END_WHEN_SILENT: Final = text("SELECT set_config('idle_session_timeout', :ms, false)")
