"""Pausing and resuming queues."""

from __future__ import annotations

from typing import Final

from lexiclass_console.actions.action import Action, Doing, Form, Outcome, Reason
from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import Role
from lexiclass_core.tasks import admission
from lexiclass_core.tasks.draining import with_parts


class AllQueues(Form):
    """Every queue, and why, for those who find them so."""

    reason: Reason = ""


class OneQueue(AllQueues):
    """A queue; those in which parts of its tasks wait go with it."""

    queue: QueueName


async def pause_queue(doing: Doing, form: OneQueue) -> Outcome:
    """Let no task of a queue start; what runs goes on."""
    await admission.pause(doing.session, with_parts([form.queue]), form.reason or None)
    return _outcome(
        form, f"The queue {form.queue} is paused: what runs goes on, nothing else starts."
    )


async def resume_queue(doing: Doing, form: OneQueue) -> Outcome:
    """Let the tasks of a queue start again."""
    await admission.resume(doing.session, with_parts([form.queue]))
    return _outcome(form, f"The tasks of the queue {form.queue} start again.")


async def drain_all(doing: Doing, form: AllQueues) -> Outcome:
    """Let nothing start in any queue; the page of queues says when nothing runs any more."""
    await admission.pause(doing.session, list(QueueName), form.reason or None)
    return _outcome(
        form, "All queues are paused: what runs goes on to its end, nothing else starts."
    )


async def resume_all(doing: Doing, form: AllQueues) -> Outcome:
    """Let the tasks of every queue start again."""
    await admission.resume(doing.session, list(QueueName))
    return _outcome(form, "The tasks of all queues start again.")


def _outcome(form: AllQueues, message: str) -> Outcome:
    subject = f"queue {form.queue}" if isinstance(form, OneQueue) else "all queues"
    return Outcome(subject=subject, message=message, details=form.model_dump(mode="json"))


ACTIONS: Final = (
    Action(name="queues.drain", needs=Role.OPERATOR, form=AllQueues, do=drain_all),
    Action(name="queues.resume", needs=Role.OPERATOR, form=AllQueues, do=resume_all),
    Action(name="queue.pause", needs=Role.OPERATOR, form=OneQueue, do=pause_queue),
    Action(name="queue.resume", needs=Role.OPERATOR, form=OneQueue, do=resume_queue),
)
