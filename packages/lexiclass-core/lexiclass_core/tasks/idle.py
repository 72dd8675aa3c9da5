"""Tasks that nobody runs, as the reconciler settles them: only as it has seen them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Text, and_, cast, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Task
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.cancelling import cancel_requested
from lexiclass_core.tasks.states import TASK, is_idle
from lexiclass_core.tasks.transitions import FAIL, change, changed_tasks


class IdleTask(NamedTuple):
    """A task that is not final and that nobody runs, as it was when it was read."""

    id: int
    message_id: str
    type: str
    updated_at: str
    is_cancelled: bool


async def idle_tasks(session: AsyncSession, *, quiet_s: float, page_size: int) -> list[IdleTask]:
    """Tasks that are not final, that nobody runs and to which nothing has happened for so long."""
    idle = (
        select(
            Task.id,
            Task.message_id,
            Task.type,
            _updated_at(),
            Task.cancel_requested_at.is_not(None),
        )
        .where(is_idle(), Task.updated_at < func.clock_timestamp() - timedelta(seconds=quiet_s))
        .order_by(Task.id)
        .limit(page_size)
    )
    found: list[IdleTask] = []
    while True:
        after = found[-1].id if found else 0
        page = [IdleTask(*row) for row in await session.execute(idle.where(Task.id > after))]
        found += page
        if len(page) < page_size:
            return found


async def claim(session: AsyncSession, seen: Sequence[IdleTask]) -> list[Task]:
    """Those of some tasks that are still as they were; from now on something has happened to them.

    Of two that claim a task, one gets it.
    """
    # The trigger of the table moves updated_at.
    touched = update(TASK).where(_is_as(seen)).values(status=TASK.c.status)
    return sorted(await changed_tasks(session, touched), key=lambda task: task.id)


async def fail_claimed(session: AsyncSession, task_id: int, error: TaskError) -> list[int]:
    """Fail a task that this transaction has claimed. Returns its id."""
    return await _fail(session, TASK.c.id == task_id, error)


async def fail(session: AsyncSession, seen: Sequence[IdleTask], error: TaskError) -> list[int]:
    """Fail those of some tasks that are still as they were. Returns their ids."""
    return await _fail(session, _is_as(seen), error)


async def cancel(session: AsyncSession, seen: Sequence[IdleTask]) -> list[int]:
    """Cancel those of some tasks that are still as they were and to be cancelled. Returns ids."""
    return sorted(task.id for task in await cancel_requested(session, _is_as(seen)))


async def _fail(session: AsyncSession, which: ColumnElement[bool], error: TaskError) -> list[int]:
    failed = change(FAIL, which, {"error": error.model_dump()}).returning(TASK.c.id)
    return sorted((await session.execute(failed)).scalars())


def _updated_at() -> ColumnElement[str]:
    """When a row was changed, as PostgreSQL writes it: it may be no moment that Python has."""
    return cast(TASK.c.updated_at, Text)


def _is_as(seen: Sequence[IdleTask]) -> ColumnElement[bool]:
    as_it_was = tuple_(TASK.c.id, _updated_at()).in_([(task.id, task.updated_at) for task in seen])
    return and_(is_idle(), as_it_was)
