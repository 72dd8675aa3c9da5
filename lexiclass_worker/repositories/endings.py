"""How an attempt ends: each statement asks for its lease, and ends it.

Every one raises LeaseLost if another worker has taken the task over, or it is final; then nothing
is written.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_worker.errors import LeaseLost, WorkStopped
from lexiclass_worker.repositories.leases import Lease, hold, is_held


async def succeed(session: AsyncSession, lease: Lease, result: dict[str, Any]) -> None:
    """Close a task with its result.

    Raises:
        WorkStopped: If somebody wants it cancelled.
    """
    values = {"status": TaskStatus.SUCCEEDED, "result": result, "error": None, "progress": 100}
    await _end_unless_cancelled(session, lease, {**values, **_CLOSED})


async def divide(session: AsyncSession, lease: Lease, *, num_chunks: int) -> None:
    """Leave a task that waits for its chunks from now on; the attempt does not count.

    Raises:
        WorkStopped: If somebody wants it cancelled.
    """
    values = {"num_chunks": num_chunks, "attempts": Task.attempts - 1, "stage": "predict"}
    await _end_unless_cancelled(session, lease, values)


async def fail(session: AsyncSession, lease: Lease, error: TaskError, *, crashes: int) -> None:
    """Close a task with its error."""
    values = {"status": TaskStatus.FAILED, "error": error.model_dump(), "crashes": crashes}
    await _require(session, lease, {**values, **_CLOSED})


async def cancel(session: AsyncSession, lease: Lease, error: TaskError) -> None:
    """Close a task that was cancelled while it ran."""
    values = {"status": TaskStatus.CANCELLED, "error": error.model_dump()}
    await _require(session, lease, {**values, **_CLOSED})


async def retry(
    session: AsyncSession, lease: Lease, error: TaskError, *, delay_s: float, crashes: int
) -> None:
    """Say that a task will be tried again, when, and what it failed with."""
    values = {
        "status": TaskStatus.RETRYING,
        "error": error.model_dump(),
        "crashes": crashes,
        "next_attempt_at": datetime.now(UTC) + timedelta(seconds=delay_s),
    }
    await _require(session, lease, values)


async def release(session: AsyncSession, lease: Lease) -> None:
    """Hand a task back that a shutdown interrupted; the attempt does not count."""
    values = {
        "status": TaskStatus.PENDING,
        "attempts": Task.attempts - 1,
        "started_at": case((Task.attempts > 1, Task.started_at), else_=None),
        "progress": 0,
        "stage": None,
    }
    await _require(session, lease, values)


_CLOSED: Final[dict[str, Any]] = {
    "stage": None,
    "next_attempt_at": None,
    "finished_at": func.clock_timestamp(),
}


async def _end(
    session: AsyncSession, lease: Lease, values: dict[str, Any], *conditions: ColumnElement[bool]
) -> bool:
    """End an attempt, and its lease with it. Returns whether the lease was held."""
    ended = await session.scalar(
        update(Task)
        .where(is_held(lease), *conditions)
        .values(**values, lease_owner=None, lease_expires_at=None)
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    return ended is not None


async def _end_unless_cancelled(
    session: AsyncSession, lease: Lease, values: dict[str, Any]
) -> None:
    if await _end(session, lease, values, Task.cancel_requested_at.is_(None)):
        return
    await hold(session, lease)
    raise WorkStopped("cancelled on request while it ran")


async def _require(session: AsyncSession, lease: Lease, values: dict[str, Any]) -> None:
    if not await _end(session, lease, values):
        raise LeaseLost(lease.task_id)
