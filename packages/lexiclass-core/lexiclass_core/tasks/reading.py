"""Task rows as they are read: one of them, a page, and the place in a queue."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Final, TypedDict, Unpack

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    func,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.events import TaskEvent
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.numbers import LARGEST_ID, require_limit
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.storable import is_storable
from lexiclass_core.tasks.errors import TaskNotFound
from lexiclass_core.tasks.states import is_waiting
from lexiclass_core.workers import hindrance


class Filters(TypedDict, total=False):
    """Which tasks to list; all of them when nothing is said.

    Attributes:
        project_id: Of this project.
        status: In this status.
        type: For this actor.
        parent: Chunks of this task; without it, chunks are listed only if the type asks for them.
        queue: Of this queue.
        error_code: That failed with this code.
        text: With this id, message id or correlation id.
        before: Older than the task with this id: :attr:`TaskPage.next_before` of the page before.
        limit: Most tasks of a page.
    """

    project_id: int | None
    status: str | None
    type: str | None
    parent: int | None
    queue: str | None
    error_code: str | None
    text: str | None
    before: int | None
    limit: int


PAGE_SIZE: Final = 50
"""Tasks of a page, unless said otherwise."""

# Of the largest id.
_MOST_DIGITS: Final = 19

# Counting on costs more than it tells.
_FURTHEST_BACK: Final = 1_000


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


async def look(session: AsyncSession, task_id: int) -> TaskEvent:
    """What a task's row tells, and how many come before it while it waits.

    Raises:
        TaskNotFound: If there is none.
    """
    task = await find(session, task_id)
    if task.queue is None or task.status not in {TaskStatus.PENDING, TaskStatus.RETRYING}:
        return TaskEvent.of(task)
    return TaskEvent.of(
        task,
        queue_position=await _queue_position(session, task),
        hindrance=await hindrance(session, task.queue),
    )


async def _queue_position(session: AsyncSession, task: Task) -> int | None:
    """How many tasks that are due come before one that waits, by the rows of its queue.

    Rows are counted and not messages: what is in Redis would have to be read as a whole, and says
    nothing of what a worker has fetched but not begun. The order is that in which workers take
    messages: by priority, then by how long they have waited. Messages that others have sent have
    no row before they run.
    """
    due_at = task.next_attempt_at or task.not_before
    if due_at is not None and due_at > datetime.now(UTC):
        return None
    priorities = {name: each.priority for name, each in OPERATIONS.items()}
    priority = func.coalesce(Task.priority, case(priorities, value=Task.type, else_=0))
    own = task.priority if task.priority is not None else priorities.get(task.type, 0)
    before = (
        select(Task.id)
        .where(
            is_waiting(),
            Task.queue == task.queue,
            func.coalesce(Task.next_attempt_at, Task.not_before, func.now()) <= func.now(),
            tuple_(priority, Task.queued_at, Task.id) < (own, task.queued_at, task.id),
        )
        .limit(_FURTHEST_BACK)
    )
    return await session.scalar(select(func.count()).select_from(before.subquery()))


async def page(session: AsyncSession, **filters: Unpack[Filters]) -> list[Task]:
    """The newest tasks that fit, by falling id; chunks only if they are asked for.

    Raises:
        ValueError: If the limit is none.
    """
    limit = filters.get("limit", PAGE_SIZE)
    require_limit(limit)
    if not all(_can_be(value) for value in filters.values() if isinstance(value, int | str)):
        return []
    statement = select(Task).where(*_that_fit(filters)).order_by(Task.id.desc()).limit(limit)
    return list(await session.scalars(statement))


def _that_fit(filters: Filters) -> Iterator[ColumnElement[bool]]:
    for column, value in (
        (Task.project_id, filters.get("project_id")),
        (Task.status, filters.get("status")),
        (Task.type, filters.get("type")),
        (Task.queue, filters.get("queue")),
    ):
        if value is not None:
            yield column == value
    if (queue := filters.get("queue")) is not None:
        # There is an index by type, and each type is of one queue.
        yield Task.type.in_([each.name for each in OPERATIONS.values() if each.queue == queue])
    if (code := filters.get("error_code")) is not None:
        yield and_(Task.status == TaskStatus.FAILED, Task.error["code"].astext == code)
    if (text := filters.get("text")) is not None:
        yield _is_named(text)
    if (parent := filters.get("parent")) is not None:
        yield Task.parent_id == parent
    elif not _asks_for_parts(filters):
        yield Task.parent_id.is_(None)
    if (before := filters.get("before")) is not None:
        yield Task.id < before


def _is_named(text: str) -> ColumnElement[bool]:
    """Whether a task has this text as one of its names; each of them has an index of its own."""
    names = [Task.message_id == text, Task.correlation_id == text]
    if len(text) <= _MOST_DIGITS and text.isdecimal() and _can_be(number := int(text)):
        names.append(Task.id == number)
    return Task.id.in_(union_all(*(select(Task.id).where(name) for name in names)))


def _asks_for_parts(filters: Filters) -> bool:
    """Whether chunks are meant as well: by a name, by their type, by a queue of their own."""
    return filters.get("text") is not None or any(
        each.name == filters.get("type")
        or each.queue == filters.get("queue") != OPERATIONS[each.part_of.actor_name].queue
        for each in OPERATIONS.values()
        if each.part_of is not None
    )


def _can_be(value: int | str) -> bool:
    """Whether a column could hold this value: PostgreSQL refuses to look for any other."""
    if isinstance(value, int):
        return -LARGEST_ID <= value <= LARGEST_ID
    return is_storable(value)
