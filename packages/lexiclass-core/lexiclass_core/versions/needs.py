"""Which open tasks need a version."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Model, Task, TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.tasks.states import is_open

_NAMED: Final = 5


async def tasks_that_need(session: AsyncSession, field_id: int) -> dict[int, list[int]]:
    """The open tasks that name a version of a field, or train it, by version.

    A large prediction names its version in its chunks; it is counted once.
    """
    task_id = func.coalesce(Task.parent_id, Task.id)
    needs = await session.execute(
        select(Model.version, task_id)
        .join(Task, or_(names(), Task.message_id == Model.message_id))
        .where(Model.field_id == field_id, is_open())
        .distinct()
        .order_by(task_id)
    )
    found: dict[int, list[int]] = {}
    for version, task in needs:
        found.setdefault(version, []).append(task)
    return found


async def tasks_on_what_serves(session: AsyncSession, field_id: int) -> list[int]:
    """The tasks that run with the version of a field that served when they began."""
    return list(
        await session.scalars(
            select(Task.id)
            .where(
                Task.status == TaskStatus.STARTED,
                # The chunks of a large prediction name it.
                Task.num_chunks.is_(None),
                Task.type.in_([name for name, each in OPERATIONS.items() if each.uses_model]),
                asks("field_id") == str(field_id),
                asks("model_version").is_(None),
            )
            .order_by(Task.id)
        )
    )


def names() -> ColumnElement[bool]:
    """Whether a task asks for a version by its number."""
    return and_(
        asks("field_id") == cast(Model.field_id, Text),
        asks("model_version") == cast(Model.version, Text),
    )


def asks(name: str) -> ColumnElement[str]:
    """An argument of a task's request.

    As text: a request may hold anything, and is compared before anybody has looked at it.
    """
    asked: ColumnElement[str] = Task.request[name].as_string()
    return asked


def listing(tasks: Sequence[int]) -> str:
    """Tasks for people: ``tasks 3, 4, 5, 6, 7 and 2 more``."""
    named = ", ".join(map(str, tasks[:_NAMED]))
    more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
    return f"{'task' if len(tasks) == 1 else 'tasks'} {named}{more}"
