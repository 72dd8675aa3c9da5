"""Cancelling tasks in their rows: those that wait at once; of those that run, a worker is asked."""

from sqlalchemy import ColumnElement, Update, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.states import CLOSED, TASK, is_idle, is_open


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
        await session.execute(
            cancelled_where(Task.id.in_(tasks)).execution_options(synchronize_session=False)
        )


def cancelled_where(which: ColumnElement[bool]) -> Update:
    """Cancel the tasks that fit and are not final."""
    idle = is_idle()
    before, among = (
        literal(TaskError(code=ErrorCode.CANCELLED, message=message).model_dump(), JSONB)
        for message in (
            "cancelled on request before it ran",
            "cancelled on request; what its chunks have predicted is kept",
        )
    )
    error = case((Task.num_chunks.is_(None), before), else_=among)
    return (
        update(Task)
        .where(which, is_open())
        .values(
            cancel_requested_at=func.coalesce(Task.cancel_requested_at, func.clock_timestamp()),
            **{
                name: case((idle, value), else_=TASK.c[name])
                for name, value in {
                    **CLOSED,
                    "status": TaskStatus.CANCELLED,
                    "error": error,
                }.items()
            },
        )
    )
