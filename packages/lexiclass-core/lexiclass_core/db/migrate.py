"""Migrations, run from the installed package."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from lexiclass_core.db.errors import DATABASE_ERRORS, describe
from lexiclass_core.db.schema import MIGRATIONS, UnusableTables, known_version, read_schema

# Two `db upgrade` at once (several replicas starting) would both create the tables.
_ADVISORY_LOCK_ID: Final = 0x4C45_5849  # "LEXI"
_POLL_S: Final = 0.5
_SILENT_S: Final = 3.0
_TELL_EVERY_S: Final = 30.0

# Whatever the role or the database has been given: a large table takes its time.
_NO_LIMITS: Final = text(
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"
)
_TRY_LOCK: Final = text(f"SELECT pg_try_advisory_xact_lock({_ADVISORY_LOCK_ID})")
_PID: Final = text("SELECT pg_backend_pid()")
_HELD_UP_BY: Final = text("""
    SELECT pid, application_name AS name
    FROM pg_stat_activity
    WHERE pid <> :pid AND (
        pid = ANY (pg_blocking_pids(:pid))
        OR pid IN (
            SELECT pid FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND classid = 0 AND objid = :lock
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
    )
    ORDER BY pid
""")


class UpgradeHeldUp(Exception):
    """Another upgrade took longer than this one was to wait."""


def configuration() -> Config:
    """Alembic's, of the migrations in this package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def upgrade(
    engine: AsyncEngine,
    revision: str = "head",
    *,
    longest_wait_s: float | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Bring the database to a revision, in one transaction under an advisory lock.

    It takes as long as it takes: no timeout of the server applies, and the engine should have none.
    Tables of a newer release that serve this one are left as they are.

    Args:
        engine: The database.
        revision: A revision id, or ``head`` for the newest.
        longest_wait_s: Seconds to wait for another upgrade; None for as long as that takes.
        tell: Told what it waits for, after some seconds and then from time to time.

    Raises:
        UnusableTables: If they are of a newer release and do not serve this one.
        UpgradeHeldUp: If another upgrade holds the lock for too long.
    """

    def migrate(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.execute(_NO_LIMITS)
        async with _telling(engine, connection, tell):
            await _take_lock(connection, longest_wait_s)
            schema = await read_schema(connection)
            if not schema.is_newer:
                await connection.run_sync(migrate)
            elif schema.problem is not None:
                raise UnusableTables(f"the tables are {schema.problem}")


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision the database is at, or None before the first migration."""
    async with engine.connect() as connection:
        return (await read_schema(connection)).found


def head_revision() -> str:
    """The newest revision this package knows."""
    return known_version()


async def _take_lock(connection: AsyncConnection, longest_wait_s: float | None) -> None:
    began = time.monotonic()
    # Asked for again and again: a statement that waits would keep a pooler's timeouts running.
    while not await connection.scalar(_TRY_LOCK):
        waited_s = time.monotonic() - began
        if longest_wait_s is not None and waited_s > longest_wait_s:
            raise UpgradeHeldUp(f"another upgrade of the tables is at work for {waited_s:.0f} s")
        await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _telling(
    engine: AsyncEngine, connection: AsyncConnection, tell: Callable[[str], None] | None
) -> AsyncIterator[None]:
    if tell is None:
        yield
        return
    pid = await connection.scalar(_PID)
    telling = asyncio.create_task(_tell_what_holds_up(engine, pid, tell))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def _tell_what_holds_up(engine: AsyncEngine, pid: Any, tell: Callable[[str], None]) -> None:
    values = {"pid": pid, "lock": _ADVISORY_LOCK_ID}
    await asyncio.sleep(_SILENT_S)
    while True:
        try:
            async with engine.connect() as connection:
                rows = (await connection.execute(_HELD_UP_BY, values)).all()
        except DATABASE_ERRORS as error:
            tell(f"what holds it up cannot be asked: {describe(error)}")
        else:
            others = ", ".join(f"process {row.pid} ({row.name or 'no name'})" for row in rows)
            tell(f"waiting for {others} of PostgreSQL" if others else "the migration is at work")
        await asyncio.sleep(_TELL_EVERY_S)
