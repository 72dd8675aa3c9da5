"""Task rows: what became of each message."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import FINAL_TASK_STATUSES, Task, TaskStatus
from lexiclass_core.schemas import TaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task as its message describes it."""

    message_id: str
    type: str
    project_id: int | None
    request: dict[str, Any]
    correlation_id: str
    queued_at: datetime


async def start(session: AsyncSession, new: NewTask, *, max_attempts: int) -> Task:
    """Count an attempt before it is made, on the message's row or on a new one.

    Attempts are counted first because a crash counts none afterwards.

    Returns:
        The row: ``started``, or unchanged if the task is already final.
    """
    started = {
        "status": TaskStatus.STARTED,
        "attempts": Task.attempts + 1,
        "max_attempts": max_attempts,
        "next_attempt_at": None,
        "progress": 0,
        "stage": None,
        "started_at": func.coalesce(Task.started_at, func.clock_timestamp()),
    }
    may_start = Task.status.not_in(FINAL_TASK_STATUSES)
    # Most messages have a row: an upsert would use up an id for each of them.
    update_row = (
        update(Task)
        .where(Task.message_id == new.message_id, may_start)
        .values(started)
        .returning(Task)
        .execution_options(synchronize_session=False)
    )
    if (task := await session.scalar(update_row)) is not None:
        return task
    upsert_row = (
        insert(Task)
        .values(
            message_id=new.message_id,
            type=new.type,
            project_id=new.project_id,
            request=new.request,
            correlation_id=new.correlation_id,
            queued_at=new.queued_at,
            status=TaskStatus.STARTED,
            attempts=1,
            max_attempts=max_attempts,
            started_at=func.clock_timestamp(),
        )
        .on_conflict_do_update(index_elements=[Task.message_id], set_=started, where=may_start)
        .returning(Task)
    )
    if (task := await session.scalar(upsert_row)) is not None:
        return task
    return (await session.scalars(select(Task).where(Task.message_id == new.message_id))).one()


async def succeed(session: AsyncSession, task_id: int, result: dict[str, Any]) -> None:
    """Close a task with its result."""
    await _close(
        session, task_id, {"status": TaskStatus.SUCCEEDED, "result": result, "progress": 100}
    )


async def fail(session: AsyncSession, task_id: int, error: TaskError) -> None:
    """Close a task with its error."""
    await _close(session, task_id, {"status": TaskStatus.FAILED, "error": error.model_dump()})


async def _close(session: AsyncSession, task_id: int, values: dict[str, Any]) -> None:
    await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status.not_in(FINAL_TASK_STATUSES))
        .values(
            **{"error": None, "stage": None, "next_attempt_at": None} | values,
            finished_at=func.clock_timestamp(),
        )
    )


async def retry(session: AsyncSession, task_id: int, error: TaskError, *, delay_s: float) -> None:
    """Say that a task will be tried again, when, and what it failed with."""
    await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.STARTED)
        .values(
            status=TaskStatus.RETRYING,
            error=error.model_dump(),
            next_attempt_at=datetime.now(UTC) + timedelta(seconds=delay_s),
        )
    )


async def release(session: AsyncSession, task_id: int) -> None:
    """Hand a task back that a shutdown interrupted; the attempt does not count."""
    await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.STARTED)
        .values(
            status=TaskStatus.PENDING,
            attempts=Task.attempts - 1,
            started_at=case((Task.attempts > 1, Task.started_at), else_=None),
            progress=0,
            stage=None,
        )
    )


async def cancel_waiting(session: AsyncSession, task_id: int) -> bool:
    """Cancel a task that waits for an attempt. Returns whether it was waiting.

    Its message stays where it is; the worker that takes it finds the row final.
    """
    error = TaskError(code=ErrorCode.CANCELLED, message="cancelled before it ran")
    cancelled = await session.scalar(
        update(Task)
        .where(Task.id == task_id, Task.status.in_((TaskStatus.PENDING, TaskStatus.RETRYING)))
        .values(
            status=TaskStatus.CANCELLED,
            error=error.model_dump(),
            next_attempt_at=None,
            finished_at=func.clock_timestamp(),
        )
        .returning(Task.id)
    )
    return cancelled is not None


async def set_progress(session: AsyncSession, task_id: int, progress: int, stage: str) -> None:
    """Say how far a running task is, in percent."""
    await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.STARTED)
        .values(progress=progress, stage=stage)
    )


async def list_tasks(
    session: AsyncSession,
    *,
    project_id: int | None = None,
    status: TaskStatus | None = None,
    limit: int = 50,
) -> list[Task]:
    """The newest tasks, of a project or in a status when one is given."""
    statement = select(Task).order_by(Task.id.desc()).limit(limit)
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    if status is not None:
        statement = statement.where(Task.status == status)
    return list(await session.scalars(statement))
