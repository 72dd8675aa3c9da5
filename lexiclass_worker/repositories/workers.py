"""Rows of workers: written by each of them, removed at its end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import CursorResult, bindparam, case, delete, func, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a worker process says of itself; see :class:`lexiclass_core.models.Worker`."""

    name: str
    host: str
    pid: int
    group_pid: int
    queues: list[str]
    threads: int
    version: str
    plugins_digest: str | None = None
    settings: Mapping[str, Any] | None = None


async def beat(session: AsyncSession, identity: Identity, *, away_s: float | None) -> None:
    """Say that a worker is there: one statement, unless it has no row.

    ``away_s`` are the seconds for which it did not reach the database until now; None if it did.
    """
    away = None if away_s is None else timedelta(seconds=away_s)
    seen = await session.execute(_BEAT, {"worker": identity.name, "away": away})
    if isinstance(seen, CursorResult) and seen.rowcount:
        return
    row = {name: value for name, value in asdict(identity).items() if value is not None}
    if away is not None:
        row["away_since"] = func.clock_timestamp() - away
        row["away_until"] = func.clock_timestamp()
    await session.execute(insert(Worker).values(row).on_conflict_do_nothing())


async def remove(session: AsyncSession, name: str) -> None:
    """Remove a worker that ends."""
    await session.execute(delete(Worker).where(Worker.name == name))


async def remove_silent(session: AsyncSession, *, silence_s: float) -> list[str]:
    """Remove workers that nothing was heard of for so long. Returns their names."""
    is_silent = Worker.seen_at < func.clock_timestamp() - timedelta(seconds=silence_s)
    return list(await session.scalars(delete(Worker).where(is_silent).returning(Worker.name)))


_TABLE: Final = Worker.metadata.tables[Worker.__tablename__]
_AWAY: Final = bindparam("away", type_=INTERVAL)
# Made once, of the table: every worker says it every few seconds.
_BEAT: Final = (
    update(_TABLE)
    .where(_TABLE.c.name == bindparam("worker"))
    .values(
        seen_at=func.clock_timestamp(),
        away_since=case(
            (_AWAY.is_(None), _TABLE.c.away_since), else_=func.clock_timestamp() - _AWAY
        ),
        away_until=case((_AWAY.is_(None), _TABLE.c.away_until), else_=func.clock_timestamp()),
    )
)
