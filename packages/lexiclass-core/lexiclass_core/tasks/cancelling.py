"""Cancelling tasks in their rows: those that nobody runs at once; of others, a worker is asked.

A cancelled row has the status ``cancelled``, an error with the code ``CANCELLED`` that says how far
it had come, the times at which that was asked for and at which it ended, and neither a lease nor a
stage nor a next attempt: :data:`lexiclass_core.tasks.transitions.CANCEL`.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Update, and_, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.errors import TaskFinished, TaskNotFound
from lexiclass_core.tasks.reading import find
from lexiclass_core.tasks.states import TASK, is_idle, is_open
from lexiclass_core.tasks.transitions import CANCEL, changed_tasks


async def cancel(session: AsyncSession, task: int | str) -> Task:
    """Cancel a task that nobody runs; ask the worker of one that is running to end it.

    So with its chunks: from the end of the transaction on, none of them can succeed any more.

    Raises:
        TaskNotFound: If there is no such task.
        TaskFinished: If it has come to its end.
    """
    found = await find(session, task)
    changed = await changed_tasks(session, cancelled_where(TASK.c.id == found.id))
    if not changed:
        status = await session.scalar(select(TASK.c.status).where(TASK.c.id == found.id))
        if status is None:
            # Removed while its row was waited for.
            raise TaskNotFound(task)
        raise TaskFinished(task, status)
    (cancelled,) = changed
    if cancelled.num_chunks is not None:
        # Whoever locks several tasks does so in this order: a parent first, then by id.
        chunks = select(Task.id).where(Task.parent_id == cancelled.id).order_by(Task.id)
        await session.execute(cancelled_where(TASK.c.id.in_(chunks.with_for_update())))
    return cancelled


async def cancel_all(session: AsyncSession, project_id: int, *, but: int | None) -> None:
    """Cancel every task of a project but one; those that run are asked to end.

    Parents before their chunks, and each by id: whoever locks several does so in this order.
    """
    for is_chunk in (False, True):
        tasks = (
            select(Task.id)
            .where(
                Task.project_id == project_id,
                Task.id.is_distinct_from(but),
                is_open(),
                Task.parent_id.is_not(None) if is_chunk else Task.parent_id.is_(None),
            )
            .order_by(Task.id)
            .with_for_update()
        )
        await session.execute(cancelled_where(TASK.c.id.in_(tasks)))


async def cancel_requested(session: AsyncSession, which: ColumnElement[bool]) -> Sequence[Task]:
    """Cancel tasks that are to be cancelled and that nobody runs. Returns them."""
    wanted = and_(which, TASK.c.cancel_requested_at.is_not(None), is_idle())
    return await changed_tasks(session, cancelled_where(wanted))


def cancelled_where(which: ColumnElement[bool]) -> Update:
    """Cancel the tasks that fit and are not final."""
    idle = is_idle()
    unbegun, begun, spread = (
        literal(TaskError(code=ErrorCode.CANCELLED, message=message).model_dump(), JSONB)
        for message in (
            "cancelled on request before it ran",
            "cancelled on request",
            "cancelled on request; what its chunks have done is kept",
        )
    )
    error = case(
        (TASK.c.num_chunks.is_not(None), spread), (TASK.c.attempts > 0, begun), else_=unbegun
    )
    columns = {**CANCEL.columns, "status": CANCEL.to, "error": error}
    return (
        update(TASK)
        .where(which, is_open())
        .values(
            cancel_requested_at=func.coalesce(TASK.c.cancel_requested_at, func.clock_timestamp()),
            **{name: case((idle, value), else_=TASK.c[name]) for name, value in columns.items()},
        )
    )
