"""What people can do from the console: each action once, with the role that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.access.tokens import User
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import Role, TaskStatus
from lexiclass_core.tasks import admission, cancelling
from lexiclass_core.tasks.draining import with_parts
from lexiclass_core.tasks.errors import TaskFinished

MOST_AT_ONCE: Final = 500
"""Tasks that one action changes at most."""


class Form(BaseModel):
    """The fields of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action has done.

    Attributes:
        subject: On what, such as ``task 12``.
        message: What became of it, for people.
        details: What it was given, for the audit.
        task_id: A task to look at next.
    """

    subject: str
    message: str
    details: dict[str, Any]
    task_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """In what an action is done.

    Attributes:
        session: Its transaction, in which it is audited too.
        client: Submits tasks.
        user: Who does it.
    """

    session: AsyncSession
    client: AsyncTaskClient
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that people can do.

    Attributes:
        name: What it is called in addresses and in the audit.
        needs: The lowest role that may.
        form: Its fields.
        do: Does it.
    """

    name: str
    needs: Role
    form: type[Form]
    do: Callable[[Doing, Any], Awaitable[Outcome]]


class OneTask(Form):
    """A task."""

    task_id: int = Field(ge=1, lt=2**63)


class SeveralTasks(Form):
    """The tasks that a list showed.

    Attributes:
        task_ids: Which, as they were shown: others that fit by now are left alone.
    """

    task_ids: list[int] = Field(min_length=1, max_length=MOST_AT_ONCE)


class OneQueue(Form):
    """A queue.

    Attributes:
        queue: Which; those in which parts of its tasks wait go with it.
        reason: Why, for those who find it so.
    """

    queue: QueueName
    reason: str = Field("", max_length=500)


async def cancel_task(doing: Doing, form: OneTask) -> Outcome:
    """Cancel a task: at once if it waits, else as soon as its worker has heard of it."""
    task = await cancelling.cancel(doing.session, form.task_id)
    message = (
        f"Task {task.id} is cancelled."
        if TaskStatus(task.status).is_final
        else f"The worker of task {task.id} was asked to end it; that takes about two seconds."
    )
    return Outcome(
        subject=f"task {task.id}", message=message, details=form.model_dump(), task_id=task.id
    )


async def retry_task(doing: Doing, form: OneTask) -> Outcome:
    """Submit the request of a task that failed or was cancelled once more, as a new task."""
    new = await doing.client.retry(form.task_id, session=doing.session)
    return Outcome(
        subject=f"task {form.task_id}",
        message=f"Task {new.id} does what task {form.task_id} was to do.",
        details={**form.model_dump(), "new_task_id": new.id},
        task_id=new.id,
    )


async def retry_tasks(doing: Doing, form: SeveralTasks) -> Outcome:
    """Submit the requests of several tasks once more."""
    new = {
        task_id: (await doing.client.retry(task_id, session=doing.session)).id
        for task_id in sorted(set(form.task_ids))
    }
    return Outcome(
        subject=f"{len(new)} tasks",
        message=f"{len(new)} tasks were submitted once more: {_range(list(new.values()))}.",
        details={"new_task_ids": {str(old): task_id for old, task_id in new.items()}},
    )


async def cancel_tasks(doing: Doing, form: SeveralTasks) -> Outcome:
    """Cancel several tasks; those that have come to their end by now are left."""
    ended = 0
    for task_id in sorted(set(form.task_ids)):
        try:
            await cancelling.cancel(doing.session, task_id)
        except TaskFinished:
            ended += 1
    number = len(set(form.task_ids)) - ended
    rest = f" {ended} had come to their end before." if ended else ""
    return Outcome(
        subject=f"{number} tasks",
        message=f"{number} tasks are cancelled, or their workers asked to end them.{rest}",
        details={"task_ids": sorted(set(form.task_ids)), "num_ended_before": ended},
    )


async def pause_queue(doing: Doing, form: OneQueue) -> Outcome:
    """Let no task of a queue start; what runs goes on."""
    await admission.pause(doing.session, with_parts([form.queue]), form.reason or None)
    return Outcome(
        subject=f"queue {form.queue}",
        message=f"The queue {form.queue} is paused: what runs goes on, nothing else starts.",
        details=form.model_dump(mode="json"),
    )


async def resume_queue(doing: Doing, form: OneQueue) -> Outcome:
    """Let the tasks of a queue start again."""
    await admission.resume(doing.session, with_parts([form.queue]))
    return Outcome(
        subject=f"queue {form.queue}",
        message=f"The tasks of the queue {form.queue} start again.",
        details=form.model_dump(mode="json"),
    )


def _range(ids: list[int]) -> str:
    return str(ids[0]) if len(ids) == 1 else f"{min(ids)} to {max(ids)}"


ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        action.name: action
        for action in (
            Action(name="task.cancel", needs=Role.OPERATOR, form=OneTask, do=cancel_task),
            Action(name="task.retry", needs=Role.OPERATOR, form=OneTask, do=retry_task),
            Action(name="tasks.cancel", needs=Role.OPERATOR, form=SeveralTasks, do=cancel_tasks),
            Action(name="tasks.retry", needs=Role.OPERATOR, form=SeveralTasks, do=retry_tasks),
            Action(name="queue.pause", needs=Role.OPERATOR, form=OneQueue, do=pause_queue),
            Action(name="queue.resume", needs=Role.OPERATOR, form=OneQueue, do=resume_queue),
        )
    }
)
