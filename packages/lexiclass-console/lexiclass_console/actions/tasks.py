"""Cancelling tasks, and running them once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import Field

from lexiclass_console.actions.action import MOST_AT_ONCE, Action, Doing, Form, Outcome
from lexiclass_core.statuses import Role, TaskStatus
from lexiclass_core.tasks import cancelling
from lexiclass_core.tasks.errors import InvalidTask, TaskFinished, TaskNotFound

_NAMED: Final = 20
_EXPLAINED: Final = 3
_LONGEST_REASON: Final = 200


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
    """Submit the requests of several tasks once more; those that cannot be are left alone."""
    new: dict[int, int] = {}
    gone: list[int] = []
    refused: dict[int, str] = {}
    for task_id in sorted(set(form.task_ids)):
        try:
            new[task_id] = (await doing.client.retry(task_id, session=doing.session)).id
        except TaskNotFound:
            gone.append(task_id)
        except InvalidTask as error:
            refused[task_id] = str(error)
    done = f"{_counted(new)} submitted once more{_range(new.values())}."
    return Outcome(
        subject=_subject(new),
        message=done + _refused(refused) + _left("gone", gone),
        without_quotes=done + _refused(dict.fromkeys(refused, "")) + _left("gone", gone),
        details={
            "new_task_ids": {str(old): task_id for old, task_id in new.items()},
            "left_alone": {str(task_id): said for task_id, said in refused.items()},
            "gone": gone,
        },
        is_refused=not new,
    )


async def cancel_tasks(doing: Doing, form: SeveralTasks) -> Outcome:
    """Cancel several tasks; those that have come to their end by now are left alone."""
    cancelled: list[int] = []
    asked: list[int] = []
    ended: list[int] = []
    gone: list[int] = []
    for task_id in sorted(set(form.task_ids)):
        try:
            task = await cancelling.cancel(doing.session, task_id)
        except TaskFinished:
            ended.append(task_id)
        except TaskNotFound:
            gone.append(task_id)
        else:
            (cancelled if TaskStatus(task.status).is_final else asked).append(task_id)
    workers = f" {len(asked)} ran: workers were asked to end them." if asked else ""
    return Outcome(
        subject=_subject([*cancelled, *asked]),
        message=f"{_counted(cancelled)} cancelled.{workers}"
        + _left("not cancelled, having ended before", ended)
        + _left("gone", gone),
        details={"cancelled": cancelled, "asked": asked, "ended_before": ended, "gone": gone},
        is_refused=not (cancelled or asked),
    )


def _subject(ids: Iterable[int]) -> str:
    number = len(list(ids))
    return "1 task" if number == 1 else f"{number} tasks"


def _counted(ids: Iterable[int]) -> str:
    number = len(list(ids))
    return "1 task was" if number == 1 else f"{number or 'No'} tasks were"


def _range(ids: Iterable[int]) -> str:
    found = sorted(ids)
    if not found:
        return ""
    return f": {found[0]}" if len(found) == 1 else f": {found[0]} to {found[-1]}"


def _left(why: str, ids: Iterable[int]) -> str:
    """A sentence about tasks of which nothing became; none where there are none."""
    found = list(ids)
    if not found:
        return ""
    return f" {len(found)} {'is' if len(found) == 1 else 'are'} {why}: {_listed(found)}."


def _refused(reasons: Mapping[int, str]) -> str:
    """A sentence about tasks that cannot be submitted once more, with why the first cannot."""
    if not reasons:
        return ""
    told = [
        f"{task_id} ({_shortened(why)})" if why and number < _EXPLAINED else task_id
        for number, (task_id, why) in enumerate(reasons.items())
    ]
    return f" {len(reasons)} cannot be submitted once more: {_listed(told)}."


def _listed(found: Sequence[object]) -> str:
    return ", ".join(map(str, found[:_NAMED])) + (" and more" if len(found) > _NAMED else "")


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


ACTIONS: Final = (
    Action(name="task.cancel", needs=Role.OPERATOR, form=OneTask, do=cancel_task),
    Action(
        name="task.retry",
        needs=Role.OPERATOR,
        form=OneTask,
        do=retry_task,
        refusals_quote_requests=True,
    ),
    Action(name="tasks.cancel", needs=Role.OPERATOR, form=SeveralTasks, do=cancel_tasks),
    Action(
        name="tasks.retry",
        needs=Role.OPERATOR,
        form=SeveralTasks,
        do=retry_tasks,
        quotes_requests=True,
    ),
)
