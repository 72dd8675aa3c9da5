"""Task rows, as the client reads and writes them."""

from datetime import UTC, datetime
from typing import Final, Unpack

from sqlalchemy import and_, case, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client.arguments import Filters
from lexiclass_core.client.errors import IdempotencyConflict, TaskFinished, TaskNotFound
from lexiclass_core.client.submission import Submission
from lexiclass_core.events import TaskEvent
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.numbers import LARGEST_ID
from lexiclass_core.queue_config import ROUTES, ActorName
from lexiclass_core.statuses import Hindrance
from lexiclass_core.storable import is_storable
from lexiclass_core.tasks.cancelling import cancelled_where
from lexiclass_core.workers import hindrance

PAGE_SIZE: Final = 50
"""Tasks of a page, unless said otherwise."""

# Counting on costs more than it tells.
_FURTHEST_BACK: Final = 1_000


async def add(session: AsyncSession, submission: Submission) -> tuple[Task, bool]:
    """Write a pending task, or find the one that has its idempotency key.

    Returns:
        The task, and whether it is new.

    Raises:
        IdempotencyConflict: If the key belongs to another request.
    """
    statement = insert(Task).values(submission.as_row())
    if submission.idempotency_key is not None:
        statement = statement.on_conflict_do_nothing(
            index_elements=[Task.project_id, Task.idempotency_key]
        )
    task = await session.scalar(statement.returning(Task))
    if task is not None:
        return task, True
    envelope = submission.envelope
    # Compared by the database, which writes some numbers in another way than they came.
    is_same = and_(
        Task.type == envelope.actor_name, Task.request == literal(envelope.kwargs, JSONB)
    )
    found = await session.execute(
        select(Task, is_same).where(
            Task.project_id == submission.project_id,
            Task.idempotency_key == submission.idempotency_key,
        )
    )
    task, repeats = found.one()
    if not repeats:
        raise IdempotencyConflict(submission.idempotency_key or "", task.id)
    return task, False


async def find(session: AsyncSession, task: int | str) -> Task:
    """A task by its row's id or its message's.

    Raises:
        TaskNotFound: If there is none.
    """
    column = Task.id if isinstance(task, int) else Task.message_id
    row = await session.scalar(select(Task).where(column == task)) if _can_be(task) else None
    if row is None:
        raise TaskNotFound(task)
    return row


async def look(session: AsyncSession, task_id: int) -> TaskEvent:
    """What a task's row tells, and how many come before it while it waits.

    Raises:
        TaskNotFound: If there is none.
    """
    task = await find(session, task_id)
    return TaskEvent.of(
        task,
        queue_position=await _queue_position(session, task),
        hindrance=await _hindrance(session, task),
    )


async def _hindrance(session: AsyncSession, task: Task) -> Hindrance | None:
    waits = TaskStatus(task.status) in {TaskStatus.PENDING, TaskStatus.RETRYING}
    return await hindrance(session, task.queue) if waits and task.queue is not None else None


async def _queue_position(session: AsyncSession, task: Task) -> int | None:
    """How many tasks that are due come before one, by the rows of its queue.

    Rows are counted and not messages: what is in Redis would have to be read as a whole, and says
    nothing of what a worker has fetched but not begun. The order is that in which workers take
    messages: by priority, then by how long they have waited. Messages that others have sent have
    no row before they run.
    """
    waits = TaskStatus(task.status) in {TaskStatus.PENDING, TaskStatus.RETRYING}
    due_at = task.next_attempt_at or task.not_before
    if not waits or task.queue is None or (due_at is not None and due_at > datetime.now(UTC)):
        return None
    priorities = {str(actor): route.priority for actor, route in ROUTES.items()}
    priority = func.coalesce(Task.priority, case(priorities, value=Task.type, else_=0))
    own = task.priority if task.priority is not None else priorities.get(task.type, 0)
    before = (
        select(Task.id)
        .where(
            Task.status.in_((TaskStatus.PENDING, TaskStatus.RETRYING)),
            Task.queue == task.queue,
            func.coalesce(Task.next_attempt_at, Task.not_before, func.now()) <= func.now(),
            tuple_(priority, Task.queued_at, Task.id) < (own, task.queued_at, task.id),
        )
        .limit(_FURTHEST_BACK)
    )
    return await session.scalar(select(func.count()).select_from(before.subquery()))


async def cancel(session: AsyncSession, task: int | str) -> Task:
    """Cancel a task that nobody runs; ask the worker of one that is running to end it.

    So with its chunks: from the end of the transaction on, none of them can succeed any more.

    Raises:
        TaskNotFound: If there is no such task.
        TaskFinished: If it has come to its end.
    """
    found = await find(session, task)
    cancelled = await session.scalar(
        cancelled_where(Task.id == found.id)
        .returning(Task)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if cancelled is None:
        await session.refresh(found)
        raise TaskFinished(task, found.status)
    if cancelled.num_chunks is not None:
        # Whoever locks several tasks does so in this order: a parent first, then by id.
        chunks = select(Task.id).where(Task.parent_id == cancelled.id).order_by(Task.id)
        await session.execute(
            cancelled_where(Task.id.in_(chunks.with_for_update())).execution_options(
                synchronize_session=False
            )
        )
    return cancelled


async def page(session: AsyncSession, **filters: Unpack[Filters]) -> list[Task]:
    """The newest tasks that fit, by falling id; chunks only if they are asked for.

    Raises:
        ValueError: If the limit is none.
    """
    limit = filters.get("limit", PAGE_SIZE)
    if not 1 <= limit <= LARGEST_ID:
        raise ValueError(f"the limit is {limit}: expected 1 or more")
    if not all(_can_be(value) for value in filters.values() if isinstance(value, int | str)):
        return []
    statement = select(Task).order_by(Task.id.desc()).limit(limit)
    for column, value in (
        (Task.project_id, filters.get("project_id")),
        (Task.status, filters.get("status")),
        (Task.type, filters.get("type")),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if (parent := filters.get("parent")) is not None:
        statement = statement.where(Task.parent_id == parent)
    elif filters.get("type") != ActorName.PREDICT_DOCUMENT_CHUNK:
        statement = statement.where(Task.parent_id.is_(None))
    if (before := filters.get("before")) is not None:
        statement = statement.where(Task.id < before)
    return list(await session.scalars(statement))


def _can_be(value: int | str) -> bool:
    """Whether a column could hold this value: PostgreSQL refuses to look for any other."""
    if isinstance(value, int):
        return -LARGEST_ID <= value <= LARGEST_ID
    return is_storable(value)
