"""Cancelling tasks in their rows: those that wait at once; of those that run, a worker is asked."""

from sqlalchemy import ColumnElement, Update, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus
from lexiclass_core.schemas import TaskError


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
                Task.status.not_in(FINAL_TASK_STATUSES),
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
    is_idle = or_(
        Task.status.in_((TaskStatus.PENDING, TaskStatus.RETRYING)),
        Task.lease_expires_at.is_(None),
        Task.lease_expires_at < func.clock_timestamp(),
    )
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
        .where(which, Task.status.not_in(FINAL_TASK_STATUSES))
        .values(
            cancel_requested_at=func.coalesce(Task.cancel_requested_at, func.clock_timestamp()),
            status=case((is_idle, TaskStatus.CANCELLED), else_=Task.status),
            error=case((is_idle, error), else_=Task.error),
            next_attempt_at=case((is_idle, None), else_=Task.next_attempt_at),
            finished_at=case((is_idle, func.clock_timestamp()), else_=Task.finished_at),
        )
    )
