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
        reason: Why, for those who find it so.
    """

    queue: QueueName
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


ACTIONS: Final = (
    Action(name="queue.pause", needs=Role.OPERATOR, form=OneQueue, do=pause_queue),
    Action(name="queue.resume", needs=Role.OPERATOR, form=OneQueue, do=resume_queue),
)
