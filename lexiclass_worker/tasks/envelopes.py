"""The messages of tasks, made from their rows."""

from lexiclass_core.envelope import Envelope
from lexiclass_core.models import Task
from lexiclass_core.queue_config import ROUTES, ActorName


def envelope_of(task: Task, *, is_reminder: bool = False) -> Envelope:
    """What is sent for a task whose type is an actor."""
    return Envelope(
        message_id=task.message_id,
        actor_name=task.type,
        queue=ROUTES[ActorName(task.type)].queue,
        kwargs=task.request,
        correlation_id=task.correlation_id or task.message_id,
        not_before=task.next_attempt_at or task.not_before,
        priority=task.priority,
        queued_at=task.queued_at,
        is_reminder=is_reminder,
    )
