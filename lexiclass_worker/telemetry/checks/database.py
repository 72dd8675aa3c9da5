"""PostgreSQL: whether it can be written to, and whether its tables are those of this release."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.db import create_engine
from lexiclass_core.db.privileges import quoted_identifier
from lexiclass_core.db.schema import read_schema
from lexiclass_core.documents.ownership import Owner, this_database
from lexiclass_core.documents.stored import projects_with_files
from lexiclass_worker.config import Settings, unverified_connections
from lexiclass_worker.telemetry.checks.outcome import (
    TIMEOUT_S,
    Finding,
    Look,
    NotUsable,
    checked,
)

REMEDY: Final = "start PostgreSQL, or correct DATABASE_URI"

# Beside what else the check of the storage does in its time.
_ASIDE_S: Final = 1.0

_STATE: Final = text(
    "SELECT current_setting('transaction_read_only')::boolean, pg_is_in_recovery()"
)
_READ_ONLY: Final = "default_transaction_read_only"
_MAY_MAKE: Final = text("SELECT has_schema_privilege(current_schema(), 'CREATE'), current_schema()")
# A schema of which a role may use nothing is none to it.
_PATH: Final = text("SELECT current_schema() IS NULL, current_setting('search_path')")


@checked("postgresql", remedy=REMEDY)
def check_postgresql(settings: Settings) -> Look:
    """Whether PostgreSQL lets a worker in, connected as workers connect, and lets it write."""
    asyncio.run(_require_writable(settings))
    found = unverified_connections(settings).get("DATABASE_URI", "")
    remedy = "set sslmode=verify-full and sslrootcert in DATABASE_URI"
    return Look("can be read and written", [Finding(found, remedy)] if found else [])


@checked("tables", remedy=REMEDY)
async def check_tables(settings: Settings) -> Look:
    """Whether the tables are there, those of this release or newer ones that serve it."""
    async with open_connection(settings) as connection:
        has_none, path = (await connection.execute(_PATH)).one()
        if has_none:
            role, last = await role_of(connection), path.rpartition(",")[2].strip(' "')
            found = f"role {role} may use no schema of its search_path ({path})"
            raise NotUsable(found, f"GRANT USAGE ON SCHEMA {quoted_identifier(last)} TO {role}")
        schema = await read_schema(connection)
        if schema.problem is None:
            return Look(f"at version {schema.found}")
        may_make, name = (await connection.execute(_MAY_MAKE)).one()
        found, _, remedy = schema.problem.rpartition(": ")
        if not may_make:
            role = await role_of(connection)
            remedy += f", after GRANT CREATE ON SCHEMA {quoted_identifier(name)} TO {role}"
        raise NotUsable(found, remedy)


async def find_stored(settings: Settings) -> tuple[list[int], Owner | None]:
    """Projects that have files in the storage, and whose it should be."""
    async with open_connection(settings, timeout_s=_ASIDE_S) as connection:
        return await projects_with_files(connection), await this_database(connection)


async def _require_writable(settings: Settings) -> None:
    async with open_connection(settings) as connection:
        is_read_only, is_standby = (await connection.execute(_STATE)).one()
        if not is_read_only:
            return
        if is_standby:
            raise NotUsable(
                "PostgreSQL is read-only: a standby",
                "lead DATABASE_URI to the primary, or name all hosts with "
                "target_session_attrs=read-write",
            )
        role = await role_of(connection)
    raise NotUsable(
        "PostgreSQL is read-only",
        f"ALTER ROLE {role} RESET {_READ_ONLY}, ALTER DATABASE ... RESET {_READ_ONLY}, or the "
        "same in postgresql.conf",
    )


async def role_of(connection: AsyncConnection) -> str:
    """The role that a connection has, as SQL has its name."""
    return quoted_identifier(await connection.scalar(text("SELECT current_user")) or "")


@asynccontextmanager
async def open_connection(
    settings: Settings, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[AsyncConnection]:
    """A connection as workers have one.

    To connect, and a statement, may take ``timeout_s``.
    """
    engine = create_engine(
        settings.require_database_uri(),
        pool_size=1,
        application_name="lexiclass-health",
        command_timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
        # As workers have it: what a server or a pooler refuses of it, it refuses here.
        idle_in_transaction_timeout_s=settings.dramatiq.heartbeat_timeout_ms / 1000,
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
