"""Workers as they have registered, and why a task that waits is taken by none."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, any_, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import QueuePause, Task, Worker
from lexiclass_core.models.plain import plain
from lexiclass_core.statuses import Hindrance, TaskStatus

SILENT_S: Final = 20.0
"""Seconds after which one that has said nothing is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTask:
    """A task that a worker holds, or held, the lease of.

    Attributes:
        lease_expires_at: When that lapses, or lapsed, unless the worker puts it off.
    """

    task_id: int
    type: str
    project_id: int | None
    stage: str | None
    progress: int
    lease_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """A worker process at one moment; see :class:`~lexiclass_core.models.Worker`.

    Attributes:
        is_silent: Whether that is so long ago that it is taken for dead.
        running: What it runs; of one that is silent, what it ran and nobody has taken over yet.
    """

    name: str
    host: str
    pid: int
    group_pid: int
    queues: list[str]
    threads: int
    version: str
    started_at: datetime
    seen_at: datetime
    is_silent: bool
    running: list[RunningTask] = field(default_factory=list)


async def list_workers(session: AsyncSession) -> list[WorkerSnapshot]:
    """The workers that have registered and not ended in order, by host and process."""
    rows = await session.execute(
        select(Worker, ~is_heard()).order_by(Worker.host, Worker.group_pid, Worker.pid)
    )
    workers = {
        worker.name: plain(
            WorkerSnapshot,
            worker,
            queues=sorted(worker.queues),
            started_at=worker.created_at,
            is_silent=is_silent,
            running=[],
        )
        for worker, is_silent in rows
    }
    tasks = await session.scalars(
        select(Task)
        .where(
            # Also under a lease that has lapsed, until another takes the task over: nothing else
            # tells what one that died was at.
            Task.status == TaskStatus.STARTED,
            Task.lease_owner.in_(workers),
        )
        .order_by(Task.id)
    )
    for task in tasks:
        running = plain(RunningTask, task, task_id=task.id)
        workers[task.lease_owner or ""].running.append(running)
    return list(workers.values())


async def hindrance(session: AsyncSession, queue: str) -> Hindrance | None:
    """Why no worker takes the tasks of a queue; None if one may."""
    is_paused = exists().where(QueuePause.queue == queue)
    is_served = exists().where(and_(literal(queue) == any_(Worker.queues), is_heard()))
    paused, served = (await session.execute(select(is_paused, is_served))).one()
    if paused:
        return Hindrance.PAUSED
    return None if served else Hindrance.NO_WORKER


async def listeners(session: AsyncSession) -> dict[str, int]:
    """How many workers listen to each queue, of those that have been heard of."""
    return await _count_by_queue(session, is_heard())


async def silent_listeners(session: AsyncSession) -> dict[str, int]:
    """How many listened to each queue and are taken for dead, until their rows are removed."""
    return await _count_by_queue(session, ~is_heard())


async def _count_by_queue(session: AsyncSession, which: ColumnElement[bool]) -> dict[str, int]:
    queues = select(func.unnest(Worker.queues).label("queue")).where(which).subquery()
    rows = await session.execute(select(queues.c.queue, func.count()).group_by(queues.c.queue))
    return {str(queue): int(count) for queue, count in rows}


def is_heard() -> ColumnElement[bool]:
    """Whether a worker was heard of lately, as a condition on its row."""
    return Worker.seen_at > func.clock_timestamp() - timedelta(seconds=SILENT_S)
