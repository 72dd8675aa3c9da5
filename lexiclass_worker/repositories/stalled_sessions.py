"""Sessions that a stopped worker has left open in the middle of a transaction, with its locks.

PostgreSQL ends those that are idle. But asyncpg prepares a statement and executes it in two steps,
and of a worker that stops between them PostgreSQL believes that it is active: it waits for the rest
of what the client has to say, and none of its timeouts counts that (before version 17 it has none
for a transaction).
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

WORKER_NAME: Final = "lexiclass-worker"
"""What ``pg_stat_activity`` shows of a worker's sessions."""

# A COPY waits for its client too, and for good reason.
_STALLED: Final = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user
        AND starts_with(application_name, :worker)
        AND state = 'active' AND wait_event = 'ClientRead'
        AND query_start < clock_timestamp() - CAST(:silence AS interval)
        AND query NOT ILIKE 'copy %'
"""
_FIND: Final = text(f"SELECT pid {_STALLED}")
_END: Final = text(f"SELECT pid, pg_terminate_backend(pid) {_STALLED}")


async def find(session: AsyncSession, *, silence_s: float) -> list[int]:
    """The server's process ids of those that have been silent for so many seconds."""
    return await _pids(session, _FIND, silence_s)


async def end(session: AsyncSession, *, silence_s: float) -> list[int]:
    """End them, and give their locks to whoever waits. Returns their process ids."""
    return await _pids(session, _END, silence_s)


async def _pids(session: AsyncSession, statement: TextClause, silence_s: float) -> list[int]:
    values = {"worker": WORKER_NAME, "silence": timedelta(seconds=silence_s)}
    return list((await session.execute(statement, values)).scalars())
