"""Cancelling tasks, and running them once more."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from lexiclass_console.actions.action import MOST_AT_ONCE, Action, Doing, Form, Outcome
from lexiclass_core.statuses import Role, TaskStatus
from lexiclass_core.tasks import cancelling
from lexiclass_core.tasks.errors import TaskFinished


class OneTask(Form):
    """A task."""

    task_id: int = Field(ge=1, lt=2**63)


class SeveralTasks(Form):
    """The tasks that a list showed.

    Attributes:
        task_ids: Which, as they were shown: others that fit by now are left alone.
    """

    task_ids: list[int] = Field(min_length=1, max_length=MOST_AT_ONCE)


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


def _range(ids: list[int]) -> str:
    return str(ids[0]) if len(ids) == 1 else f"{min(ids)} to {max(ids)}"


ACTIONS: Final = (
    Action(name="task.cancel", needs=Role.OPERATOR, form=OneTask, do=cancel_task),
    Action(name="task.retry", needs=Role.OPERATOR, form=OneTask, do=retry_task),
    Action(name="tasks.cancel", needs=Role.OPERATOR, form=SeveralTasks, do=cancel_tasks),
    Action(name="tasks.retry", needs=Role.OPERATOR, form=SeveralTasks, do=retry_tasks),
)
