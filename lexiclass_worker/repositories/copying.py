"""COPY, which SQLAlchemy leaves to the driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db.errors import ends_connection
from lexiclass_worker.errors import DatabaseUnavailable


@asynccontextmanager
async def copying(session: AsyncSession) -> AsyncIterator[Any]:
    """The driver's connection, in the caller's transaction.

    Raises:
        DatabaseUnavailable: If a COPY takes too long: the driver calls it as files do.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if driver is None:
        raise RuntimeError("the session has no connection to the server")
    try:
        yield driver
    except TimeoutError as error:
        raise DatabaseUnavailable("a COPY took too long; trying again can help") from error
    except asyncpg.PostgresError as error:
        # SQLAlchemy, which leaves such a server by itself, does not see this one.
        if ends_connection(error):
            await connection.invalidate()
        raise
