"""Migrations, run from the installed package."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from lexiclass_core.background import end
from lexiclass_core.db.errors import DATABASE_ERRORS, describe, sqlstate_of
from lexiclass_core.db.schema import MIGRATIONS, UnusableTables, read_schema

# Two `db upgrade` at once (several replicas starting) would both create the tables.
_ADVISORY_LOCK_ID: Final = 0x4C45_5849  # "LEXI"
_POLL_S: Final = 0.5
_SILENT_S: Final = 3.0
_TELL_EVERY_S: Final = 30.0

# While it waits for a table, so does everybody who comes later: after so long they have their turn.
# An autovacuum gives way after a second (deadlock_timeout).
_LOCK_TIMEOUT_S: Final = 3.0
_PAUSE_S: Final = 2.0

# lock_not_available, deadlock_detected
_IN_USE: Final = ("55P03", "40P01")

# Whatever the role or the database has been given: a large table takes its time.
_LIMITS: Final = text(
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', :lock_ms, true)"
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
    """Another upgrade, or who uses the tables, took longer than this one was to wait."""


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
    A table that others use is waited for a few seconds at a time, and let go in between: it would
    keep everybody else from it. Tables of a newer release that serve this one are left as they are.

    Args:
        engine: The database.
        revision: A revision id, or ``head`` for the newest.
        longest_wait_s: Seconds to wait for others; None for as long as that takes.
        tell: Told what it waits for, after some seconds and then from time to time.

    Raises:
        UnusableTables: If they are of a newer release and do not serve this one.
        UpgradeHeldUp: If another upgrade, or who uses a table, takes too long.
    """
    telling = _Telling(engine, tell) if tell is not None else None
    began = time.monotonic()
    while True:
        try:
            await _attempt(engine, revision, longest_wait_s, telling)
        except DBAPIError as error:
            if sqlstate_of(error) not in _IN_USE:
                raise
            waited_s = time.monotonic() - began
            if longest_wait_s is not None and waited_s > longest_wait_s:
                raise UpgradeHeldUp(f"others have used the tables for {waited_s:.0f} s") from error
        else:
            return
        await asyncio.sleep(_PAUSE_S)


async def _attempt(
    engine: AsyncEngine,
    revision: str,
    longest_wait_s: float | None,
    telling: "_Telling | None",
) -> None:
    def migrate(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.execute(_LIMITS, {"lock_ms": f"{_LOCK_TIMEOUT_S * 1000:.0f}"})
        async with telling.watching(connection) if telling is not None else nullcontext():
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


async def _take_lock(connection: AsyncConnection, longest_wait_s: float | None) -> None:
    began = time.monotonic()
    # Asked for again and again: a statement that waits would keep a pooler's timeouts running.
    while not await connection.scalar(_TRY_LOCK):
        waited_s = time.monotonic() - began
        if longest_wait_s is not None and waited_s > longest_wait_s:
            raise UpgradeHeldUp(f"another upgrade of the tables is at work for {waited_s:.0f} s")
        await asyncio.sleep(_POLL_S)


class _Telling:
    """Says from time to time what an upgrade waits for, or that it is at work."""

    def __init__(self, engine: AsyncEngine, tell: Callable[[str], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._began = time.monotonic()
        self._told: dict[bool, float] = {}

    @asynccontextmanager
    async def watching(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """Look at what this connection does, for the time of a ``with`` block."""
        watch = asyncio.create_task(self._watch(await connection.scalar(_PID)))
        try:
            yield
        finally:
            await end(watch)

    async def _watch(self, pid: Any) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            now = time.monotonic()
            if now - self._began < _SILENT_S:
                continue
            waits, words = await self._look(pid)
            if now - self._told.get(waits, -math.inf) >= _TELL_EVERY_S:
                self._told[waits] = now
                self._tell(words)

    async def _look(self, pid: Any) -> tuple[bool, str]:
        values = {"pid": pid, "lock": _ADVISORY_LOCK_ID}
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(_HELD_UP_BY, values)).all()
        except DATABASE_ERRORS as error:
            return True, f"what holds it up cannot be asked: {describe(error)}"
        others = ", ".join(f"process {row.pid} ({row.name or 'no name'})" for row in rows)
        if others:
            return True, f"waiting for {others} of PostgreSQL"
        return False, "the migration is at work"
