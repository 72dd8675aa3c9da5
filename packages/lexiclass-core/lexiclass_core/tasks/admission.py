"""Whether a task may start now: its queue is not paused, its project's limit is not reached.

A limit is counted from the rows that hold a lease, so it needs no counter that a crash could leave
too high: a worker that dies stops counting when its leases lapse.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, inspect, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import QueuePause, Task, TaskLimit
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.storable import is_storable
from lexiclass_core.tasks.states import is_running


class Pause(NamedTuple):
    """Since when a queue is paused, and why, if that was said."""

    since: datetime
    reason: str | None


async def pauses(session: AsyncSession) -> dict[str, Pause]:
    """The queues that are paused."""
    rows = await session.execute(select(QueuePause.queue, QueuePause.created_at, QueuePause.reason))
    return {queue: Pause(since, reason) for queue, since, reason in rows}


async def pause(session: AsyncSession, queues: Collection[QueueName], reason: str | None) -> None:
    """Let no task of some queues start; nothing changes for those that are paused already.

    What a backup has paused is paused by both from then on: it stays so when the backup ends, which
    lets go on what has its own reason.

    Raises:
        ValueError: If PostgreSQL cannot hold the reason.
    """
    if not queues:
        return
    if reason is not None and not is_storable(reason):
        raise ValueError("the reason holds a NUL character, or half of a character")
    # In one order, so that two that pause the same do not wait for each other.
    added = insert(QueuePause).values(
        [{"queue": queue, "reason": reason} for queue in sorted(queues)]
    )
    await session.execute(
        added.on_conflict_do_update(
            index_elements=[QueuePause.queue],
            # The row stays the same: the backup looks whether it was paused all the time.
            set_={"reason": added.excluded.reason, "created_at": func.now()},
            where=QueuePause.reason.regexp_match(_OF_A_BACKUP),
        )
    )


async def resume(session: AsyncSession, queues: Collection[QueueName]) -> None:
    """Let their tasks start again."""
    await session.execute(delete(QueuePause).where(QueuePause.queue.in_(queues)))


async def running_by_queue(session: AsyncSession) -> dict[QueueName, int]:
    """How many tasks hold a lease, by queue."""
    rows = await session.execute(
        select(Task.type, func.count()).where(is_running()).group_by(Task.type)
    )
    counts = dict.fromkeys(QueueName, 0)
    for kind, count in rows:
        if kind in OPERATIONS:
            counts[OPERATIONS[kind].queue] += count
    return counts


async def running_by_project(
    session: AsyncSession, actors: Collection[str]
) -> dict[tuple[str, int], int]:
    """How many tasks of some actors hold a lease, by actor and project."""
    rows = await session.execute(
        select(Task.type, Task.project_id, func.count())
        .where(is_running(), Task.type.in_(actors), Task.project_id.is_not(None))
        .group_by(Task.type, Task.project_id)
    )
    return {(kind, project_id): count for kind, project_id, count in rows if project_id is not None}


async def publish_limits(session: AsyncSession, limits: Mapping[str, int]) -> None:
    """Say what a worker's settings allow, for autoscalers: the last one that says it holds.

    A limit says how many tasks of an actor may run at a time on a project. Actors that are left out
    have none, as far as this process knows them.
    """
    unlimited = [name for name in OPERATIONS if name not in limits]
    await session.execute(delete(TaskLimit).where(TaskLimit.type.in_(unlimited)))
    if not limits:
        return
    added = insert(TaskLimit).values(
        # In one order, so that two workers that start do not wait for each other.
        [{"type": name, "per_project": limits[name]} for name in sorted(limits)]
    )
    new = added.excluded.per_project
    await session.execute(
        added.on_conflict_do_update(
            index_elements=[TaskLimit.type],
            set_={"per_project": new},
            where=TaskLimit.per_project != new,
        )
    )


async def refusal(
    session: AsyncSession,
    *,
    message_id: str,
    actor: str,
    project_id: int | None,
    limit: int | None,
) -> str | None:
    """Why a task may not start now; None if it may, in this transaction.

    Others that would start one of the same actor and project wait for the end of the transaction.
    The task that ``message_id`` names does not count against itself.
    """
    queue = OPERATIONS[actor].queue
    if (await session.execute(_PAUSED, {"queue": queue})).first() is not None:
        return f"queue {queue} is paused"
    if limit is None or project_id is None:
        return None
    await session.execute(_LOCK, {"name": f"lexiclass limit {actor} {project_id}"})
    running = await session.scalar(
        select(func.count()).where(
            is_running(),
            Task.type == actor,
            Task.project_id == project_id,
            Task.message_id != message_id,
        )
    )
    if (running or 0) < limit:
        return None
    return f"{running} of {limit} tasks of {actor} run on project {project_id}"


# As deploy/backup/backup.sh gives it.
_OF_A_BACKUP: Final = "^backup [0-9]{8}T[0-9]{6}Z$"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_PAUSE_TABLE = inspect(QueuePause).local_table
# Made once, of the table: every task asks it.
_PAUSED = select(_PAUSE_TABLE.c.id).where(_PAUSE_TABLE.c.queue == bindparam("queue"))
