"""What is sent for a task, before it is a message of any broker."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request on its way to its actor.

    Attributes:
        message_id: Names the task, however often it is sent.
        kwargs: The actor's keyword arguments, as JSON.
        correlation_id: Carried to every log line of the task.
        not_before: When it may run; None for at once.
        priority: Lower runs first within its queue; None for the actor's own.
        is_reminder: Whether the task's own message is elsewhere and will come back: this one only
            hurries, and is dropped whatever comes of it.
        queued_at: Since when it waits: of the same priority, what has waited longest goes first.
            None for now.
    """

    message_id: str
    actor_name: str
    queue: str
    kwargs: dict[str, Any]
    correlation_id: str
    not_before: datetime | None = None
    priority: int | None = None
    is_reminder: bool = False
    queued_at: datetime | None = None
