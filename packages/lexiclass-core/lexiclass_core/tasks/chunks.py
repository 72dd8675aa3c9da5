"""Tasks that are spread over chunks: rows of their own that name them as parent."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core import layout
from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import Request
from lexiclass_core.tasks.leases import Lease, is_held
from lexiclass_core.tasks.states import has_open_chunks, waits_for_chunks
from lexiclass_core.tracing import current_trace_context

# 100 % is said by the task's success alone.
_MOST: Final = 99

# With a dot and as many digits as the most documents have, what can name a file.
_LONGEST_PARENT: Final = layout.LONGEST_NAME - 8
_DIGITS: Final = 32


class Outcome(NamedTuple):
    """How a chunk ended."""

    id: int
    status: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None


def message_id(parent: str, number: int) -> str:
    """The message id of a chunk, from 0. It names the chunk's files beside those of its parent.

    That of a parent whose id fills a file's name has a digest in place of the end.
    """
    if len(parent) > _LONGEST_PARENT:
        digest = sha256(parent.encode()).hexdigest()[:_DIGITS]
        parent = f"{parent[: _LONGEST_PARENT - _DIGITS - 1]}-{digest}"
    return f"{parent}.{number:04}"


async def add(session: AsyncSession, parent_id: int, requests: Sequence[Request]) -> None:
    """Write the pending chunks of a task. The caller's transaction fans the task out."""
    parent = (await session.scalars(select(Task).where(Task.id == parent_id))).one()
    trace_context = current_trace_context() or parent.trace_context
    await session.execute(
        insert(Task),
        [
            {
                "parent_id": parent_id,
                "message_id": message_id(parent.message_id, number),
                "project_id": request.project_id,
                "type": request.actor_name,
                "queue": OPERATIONS[request.actor_name].queue,
                "request": request.model_dump(mode="json", exclude_unset=True),
                "correlation_id": parent.correlation_id,
                "priority": parent.priority,
                "trace_context": trace_context,
            }
            for number, request in enumerate(requests)
        ],
    )


async def pending(session: AsyncSession, parent_id: int) -> list[Task]:
    """The chunks of a task that nobody has begun with, in order."""
    rows = await session.scalars(
        select(Task)
        .where(Task.parent_id == parent_id, Task.status == TaskStatus.PENDING)
        .order_by(Task.id)
    )
    return list(rows)


async def outcomes(session: AsyncSession, parent_id: int) -> list[Outcome]:
    """How each chunk of a task ended, in order."""
    rows = await session.execute(
        select(Task.id, Task.status, Task.result, Task.error)
        .where(Task.parent_id == parent_id)
        .order_by(Task.id)
    )
    return [Outcome(*row) for row in rows]


async def another_waits(session: AsyncSession, task_id: int) -> int | None:
    """The task of the same type and project, if there is one, that waits for its chunks."""
    this = aliased(Task)
    return await session.scalar(
        select(Task.id)
        .join(this, (this.type == Task.type) & (this.project_id == Task.project_id))
        .where(this.id == task_id, Task.id != task_id, waits_for_chunks())
        .limit(1)
    )


async def began_at(session: AsyncSession, task_id: int) -> datetime | None:
    """When a task began: that of a chunk with its parent."""
    parent = aliased(Task)
    return await session.scalar(
        select(func.coalesce(parent.started_at, Task.started_at, func.now()))
        .select_from(Task)
        .outerjoin(parent, parent.id == Task.parent_id)
        .where(Task.id == task_id)
    )


async def carry_progress(session: AsyncSession, parent_id: int) -> Task | None:
    """Bring a waiting task as far as its chunks are on average.

    Comes before any other lock on a chunk in its transaction: a parent is locked first.

    Returns:
        The task, if it waits and all its chunks are final.
    """
    chunk = aliased(Task)
    done = case((chunk.status.in_(FINAL_TASK_STATUSES), 100), else_=chunk.progress)
    average = (
        select(func.coalesce(func.floor(func.avg(done)), 0))
        .where(chunk.parent_id == parent_id)
        .scalar_subquery()
    )
    row = (
        await session.execute(
            update(Task)
            .where(Task.id == parent_id, waits_for_chunks())
            .values(progress=func.greatest(Task.progress, func.least(average, _MOST)))
            .returning(Task, has_open_chunks())
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    return None if row is None or row[1] else row[0]


async def set_progress(session: AsyncSession, lease: Lease, progress: int, stage: str) -> None:
    """Say how far a running task is, in percent; only whoever holds its lease can.

    Of a chunk, its parent is brought as far as its chunks were until now.
    """
    parent_id = await session.scalar(select(Task.parent_id).where(Task.id == lease.task_id))
    if parent_id is not None:
        await carry_progress(session, parent_id)
    await session.execute(
        update(Task)
        .where(is_held(lease))
        .values(progress=progress, stage=stage)
        .execution_options(synchronize_session=False)
    )
