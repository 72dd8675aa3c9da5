"""PostgreSQL: whether it can be written to, and whether its tables are those of this release."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core.db import create_engine
from lexiclass_core.db.privileges import quoted_identifier
from lexiclass_core.db.schema import read_schema
from lexiclass_core.documents.ownership import Owner, this_database
from lexiclass_core.documents.stored import projects_with_files
from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import Hindrance
from lexiclass_core.workers import hindrance
from lexiclass_worker.config import Settings, unverified_connections
from lexiclass_worker.telemetry.checks.outcome import TIMEOUT_S, Check, NotUsable, attempt

_STATE: Final = text(
    "SELECT current_setting('transaction_read_only')::boolean, pg_is_in_recovery()"
)
_MAY_MAKE: Final = text("SELECT has_schema_privilege(current_schema(), 'CREATE'), current_schema()")
_MAY_WRITE: Final = text(
    "SELECT has_table_privilege('task', 'SELECT') AND has_table_privilege('task', 'INSERT') "
    "AND has_table_privilege('task', 'UPDATE'), current_schema()"
)


def check_postgresql(settings: Settings) -> Check:
    """Whether PostgreSQL lets a worker in, connected as workers connect, and lets it write."""

    def look() -> str:
        asyncio.run(_require_writable(settings))
        return unverified_connections(settings).get("DATABASE_URI", "")

    return attempt("postgresql", settings, look)


def check_tables(settings: Settings) -> Check:
    """Whether the tables are there, those of this release or newer ones that serve it."""
    return attempt("tables", settings, lambda: asyncio.run(_require_tables(settings)))


async def find_stored(settings: Settings) -> tuple[list[int], Owner | None]:
    """Projects that have files in the storage, and whose it should be."""
    async with _connection(settings) as connection:
        return await projects_with_files(connection), await this_database(connection)


def check_queues(settings: Settings) -> Check:
    """Which queues are paused, or have no worker; both are warnings."""
    return attempt("queues", settings, lambda: asyncio.run(_find_hindrances(settings)))


async def _find_hindrances(settings: Settings) -> str:
    async with _connection(settings) as connection, AsyncSession(connection) as session:
        found = {queue: await hindrance(session, queue) for queue in QueueName}
    paused = ", ".join(queue for queue, what in found.items() if what is Hindrance.PAUSED)
    deserted = ", ".join(queue for queue, what in found.items() if what is Hindrance.NO_WORKER)
    parts = (
        f"paused: {paused}" if paused else "",
        f"no worker listens to {deserted}" if deserted else "",
    )
    return "; ".join(filter(None, parts))


async def _require_writable(settings: Settings) -> None:
    async with _connection(settings) as connection:
        is_read_only, is_standby = (await connection.execute(_STATE)).one()
    if is_read_only:
        raise NotUsable(f"PostgreSQL is read-only{': a standby' if is_standby else ''}")


async def _require_tables(settings: Settings) -> None:
    async with _connection(settings) as connection:
        schema = await read_schema(connection)
        if schema.problem is not None:
            may_make, name = (await connection.execute(_MAY_MAKE)).one()
            role = await _role(connection)
            first = "" if may_make else f", after GRANT CREATE ON SCHEMA {name} TO {role}"
            raise NotUsable(schema.problem + first)
        may_write, name = (await connection.execute(_MAY_WRITE)).one()
        if not may_write:
            role = await _role(connection)
            raise NotUsable(
                f"role {role} may not read and write task: GRANT SELECT, INSERT, UPDATE, DELETE "
                f"ON ALL TABLES IN SCHEMA {name} TO {role}"
            )


async def _role(connection: AsyncConnection) -> str:
    return quoted_identifier(await connection.scalar(text("SELECT current_user")) or "")


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(
        settings.require_database_uri(),
        pool_size=1,
        application_name="lexiclass-health",
        command_timeout_s=TIMEOUT_S,
        connect_timeout_s=TIMEOUT_S,
        # As workers have it: what a server or a pooler refuses of it, it refuses here.
        idle_in_transaction_timeout_s=settings.dramatiq.heartbeat_timeout_ms / 1000,
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
