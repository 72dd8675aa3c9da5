"""Task rows: what became of each message. Attempts at them are in :mod:`.leases`."""

from collections.abc import Collection

from sqlalchemy import ARRAY, Text, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.states import CLOSED, is_idle
from lexiclass_worker.repositories import chunks
from lexiclass_worker.repositories.leases import Lease


async def get(session: AsyncSession, task_id: int) -> Task | None:
    """The row as it is now."""
    return await session.scalar(select(Task).where(Task.id == task_id))


async def by_message_ids(
    session: AsyncSession, message_ids: Collection[str]
) -> dict[str | None, Task]:
    """The rows of many messages, by message id."""
    wanted = func.unnest(bindparam("ids", list(message_ids), type_=ARRAY(Text)))
    rows = await session.scalars(select(Task).where(Task.message_id.in_(select(wanted))))
    return {task.message_id: task for task in rows}


async def cancel_idle(session: AsyncSession, task_id: int) -> Task | None:
    """Cancel a task that is to be cancelled and that nobody runs. Returns it if there was one."""
    error = TaskError(code=ErrorCode.CANCELLED, message="cancelled on request")
    return await session.scalar(
        update(Task)
        .where(
            Task.id == task_id,
            Task.cancel_requested_at.is_not(None),
            is_idle(),
        )
        .values({**CLOSED, "status": TaskStatus.CANCELLED, "error": error.model_dump()})
        .returning(Task)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


async def set_progress(session: AsyncSession, lease: Lease, progress: int, stage: str) -> None:
    """Say how far a running task is, in percent; only whoever holds its lease can.

    Of a chunk, the task that was divided is brought as far as its chunks were until now.
    """
    parent_id = await session.scalar(select(Task.parent_id).where(Task.id == lease.task_id))
    if parent_id is not None:
        await chunks.carry_progress(session, parent_id)
    await session.execute(
        update(Task)
        .where(
            Task.id == lease.task_id,
            Task.lease_token == lease.token,
            Task.status == TaskStatus.STARTED,
        )
        .values(progress=progress, stage=stage)
        .execution_options(synchronize_session=False)
    )
