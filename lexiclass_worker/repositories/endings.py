"""How an attempt ends: each statement asks for its lease, and ends it.

Every one raises LeaseLost if another worker has taken the task over, or it is final; then nothing
is written.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, case, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.states import CLOSED, TASK, is_open
from lexiclass_worker.errors import LeaseLost, WorkStopped
from lexiclass_worker.repositories.leases import Lease, after, hold


def _end(values: dict[str, Any], *conditions: ColumnElement[bool]) -> ReturningUpdate[tuple[int]]:
    """End an attempt, and its lease with it. Gives a row if the lease was held."""
    is_held = (
        TASK.c.id == bindparam("lease_task_id"),
        TASK.c.lease_token == bindparam("lease_of_token"),
        is_open(),
    )
    return (
        update(TASK)
        .where(*is_held, *conditions)
        .values({"lease_owner": None, "lease_expires_at": None, **values})
        .returning(TASK.c.id)
    )


# Made once, of the table: every task that goes well ends with it.
_SUCCEED: Final = _end(
    {
        "status": TaskStatus.SUCCEEDED,
        "result": bindparam("new_result", type_=TASK.c.result.type),
        "error": None,
        "progress": 100,
        **CLOSED,
    },
    TASK.c.cancel_requested_at.is_(None),
)


async def succeed(session: AsyncSession, lease: Lease, result: dict[str, Any]) -> None:
    """Close a task with its result.

    Raises:
        WorkStopped: If somebody wants it cancelled.
    """
    await _end_unless_cancelled(session, lease, _SUCCEED, {"new_result": result})


async def divide(session: AsyncSession, lease: Lease, *, num_chunks: int) -> None:
    """Leave a task that waits for its chunks from now on; the attempt does not count.

    Raises:
        WorkStopped: If somebody wants it cancelled.
    """
    values = {"num_chunks": num_chunks, "attempts": TASK.c.attempts - 1, "stage": "predict"}
    await _end_unless_cancelled(session, lease, _end(values, TASK.c.cancel_requested_at.is_(None)))


async def put_off(session: AsyncSession, lease: Lease, *, delay_s: float, stage: str) -> None:
    """Leave a task that waits for others for a while; the attempt does not count.

    Raises:
        WorkStopped: If somebody wants it cancelled.
    """
    values = {
        "status": TaskStatus.PENDING,
        "attempts": TASK.c.attempts - 1,
        "next_attempt_at": after(delay_s),
        "stage": stage,
    }
    await _end_unless_cancelled(session, lease, _end(values, TASK.c.cancel_requested_at.is_(None)))


async def fail(session: AsyncSession, lease: Lease, error: TaskError, *, crashes: int) -> None:
    """Close a task with its error."""
    values = {"status": TaskStatus.FAILED, "error": error.model_dump(), "crashes": crashes}
    await _require(session, lease, {**values, **CLOSED})


async def cancel(session: AsyncSession, lease: Lease, error: TaskError) -> None:
    """Close a task that was cancelled while it ran."""
    values = {"status": TaskStatus.CANCELLED, "error": error.model_dump()}
    await _require(session, lease, {**values, **CLOSED})


async def retry(
    session: AsyncSession,
    lease: Lease,
    error: TaskError,
    *,
    delay_s: float,
    crashes: int,
    counts: bool = True,
) -> None:
    """Say that a task will be tried again, when, and what it failed with.

    Args:
        session: The caller's transaction.
        lease: The attempt's.
        error: What it failed with.
        delay_s: Seconds until the next one.
        crashes: Of the task so far.
        counts: Whether it was an attempt, or was not begun.
    """
    values = {
        "attempts": TASK.c.attempts - int(not counts),
        "status": TaskStatus.RETRYING,
        "error": error.model_dump(),
        "crashes": crashes,
        "next_attempt_at": after(delay_s),
    }
    await _require(session, lease, values)


async def release(session: AsyncSession, lease: Lease) -> None:
    """Hand a task back that a shutdown interrupted; the attempt does not count."""
    values = {
        "status": TaskStatus.PENDING,
        "attempts": TASK.c.attempts - 1,
        "started_at": case((TASK.c.attempts > 1, TASK.c.started_at), else_=None),
        "progress": 0,
        "stage": None,
    }
    await _require(session, lease, values)


async def _is_ended(
    session: AsyncSession,
    lease: Lease,
    ending: ReturningUpdate[tuple[int]],
    values: dict[str, Any] | None = None,
) -> bool:
    named = {"lease_task_id": lease.task_id, "lease_of_token": lease.token}
    ended = await session.execute(ending, {**named, **(values or {})})
    return ended.first() is not None


async def _end_unless_cancelled(
    session: AsyncSession,
    lease: Lease,
    ending: ReturningUpdate[tuple[int]],
    values: dict[str, Any] | None = None,
) -> None:
    if await _is_ended(session, lease, ending, values):
        return
    await hold(session, lease)
    raise WorkStopped("cancelled on request while it ran")


async def _require(session: AsyncSession, lease: Lease, values: dict[str, Any]) -> None:
    if not await _is_ended(session, lease, _end(values)):
        raise LeaseLost(lease.task_id)
