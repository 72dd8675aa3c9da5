"""How many tasks wait, run and fail, however many there are: counting ends at 1,000."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks.admission import Pause, pauses
from lexiclass_core.tasks.states import is_running, is_waiting
from lexiclass_core.workers import listeners

MOST_COUNTED: Final = 1_000
"""Where counting ends: a count of 1,000 says that there are as many, or more."""

RECENTLY_S: Final = 24 * 3600
"""Seconds after which a failure is no longer recent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOverview:
    """A queue at one moment. Counts end at 1,000.

    Attributes:
        oldest: Since when the longest waiting one that is due has waited.
        pause: Since when it is paused, and why; None if it is not.
    """

    waiting: int
    running: int
    oldest: datetime | None
    workers: int
    pause: Pause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverview:
    """The tasks at one moment. Counts end at 1,000.

    Attributes:
        failures: Tasks that failed in the last day, by error code, most first.
        now: By the database's clock.
    """

    queues: Mapping[QueueName, QueueOverview]
    failures: Mapping[str, int]
    now: datetime


async def overview(session: AsyncSession) -> TaskOverview:
    """Read how many tasks wait, run and fail."""
    paused, workers = await pauses(session), await listeners(session)
    return TaskOverview(
        queues={
            queue: QueueOverview(
                waiting=await _count(session, is_waiting(), Task.queue == queue),
                running=await _count(session, is_running(), Task.queue == queue),
                oldest=await session.scalar(_oldest(queue)),
                workers=workers.get(queue, 0),
                pause=paused.get(queue),
            )
            for queue in QueueName
        },
        failures=await _recent_failures(session),
        now=(await session.execute(select(func.now()))).scalar_one(),
    )


async def _count(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    some = select(Task.id).where(*which).limit(MOST_COUNTED).subquery()
    return (await session.execute(select(func.count()).select_from(some))).scalar_one()


def _oldest(queue: QueueName) -> Select[datetime]:
    due = func.coalesce(Task.next_attempt_at, Task.not_before, func.now()) <= func.now()
    return (
        select(Task.queued_at)
        .where(is_waiting(), Task.queue == queue, due)
        .order_by(Task.id)
        .limit(1)
    )


async def _recent_failures(session: AsyncSession) -> dict[str, int]:
    since = func.now() - timedelta(seconds=RECENTLY_S)
    recent = (
        select(Task.error["code"].astext.label("code"))
        .where(Task.status == TaskStatus.FAILED, Task.finished_at > since)
        .order_by(Task.finished_at.desc())
        .limit(MOST_COUNTED)
        .subquery()
    )
    rows = await session.execute(
        select(recent.c.code, func.count())
        .group_by(recent.c.code)
        .order_by(func.count().desc(), recent.c.code)
    )
    return {str(code): int(count) for code, count in rows}
