"""Pausing and resuming queues."""

from __future__ import annotations

from typing import Final

from lexiclass_console.actions.action import Action, Doing, Form, Outcome, Reason
from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import Role
from lexiclass_core.tasks import admission
from lexiclass_core.tasks.draining import with_parts


class OneQueue(Form):
    """A queue.

    Attributes:
        queue: Which; those in which parts of its tasks wait go with it.
    """

    queue: QueueName
    reason: Reason = ""


class AllQueues(Form):
    """Every queue."""

    reason: Reason = ""


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


async def drain_all(doing: Doing, form: AllQueues) -> Outcome:
    """Let nothing start in any queue; the page of queues says when nothing runs any more."""
    await admission.pause(doing.session, list(QueueName), form.reason or None)
    return Outcome(
        subject="all queues",
        message="All queues are paused: what runs goes on to its end, nothing else starts.",
        details=form.model_dump(mode="json"),
    )


async def resume_all(doing: Doing, form: AllQueues) -> Outcome:
    """Let the tasks of every queue start again."""
    await admission.resume(doing.session, list(QueueName))
    return Outcome(
        subject="all queues",
        message="The tasks of all queues start again.",
        details=form.model_dump(mode="json"),
    )


ACTIONS: Final = (
    Action(name="queues.drain", needs=Role.OPERATOR, form=AllQueues, do=drain_all),
    Action(name="queues.resume", needs=Role.OPERATOR, form=AllQueues, do=resume_all),
    Action(name="queue.pause", needs=Role.OPERATOR, form=OneQueue, do=pause_queue),
    Action(name="queue.resume", needs=Role.OPERATOR, form=OneQueue, do=resume_queue),
)
