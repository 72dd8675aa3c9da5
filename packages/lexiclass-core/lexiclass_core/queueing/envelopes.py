"""The messages of tasks, made from their rows: those of other programs may hold anything."""

import json
from collections.abc import Mapping
from typing import Any, Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db.values import LATEST, UnreadableJSON
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import Task
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import TaskError
from lexiclass_core.storable import DEEPEST, is_storable, storable

LONGEST_ID: Final = 500
"""Characters of a message id: what the index of task rows takes is 2,704 bytes, 4 for a character
at most."""

# Ids, names and numbers of a message, beside its arguments.
_OVERHEAD_BYTES: Final = 8_192


def kept_correlation_id(text: str) -> str:
    """What a row keeps of a correlation id that somebody has written into a message."""
    return str(storable(text[:LONGEST_ID]))


def envelope_of(task: Task, *, is_reminder: bool = False) -> Envelope:
    """What is sent for a task whose type is an actor."""
    return Envelope(
        message_id=task.message_id,
        actor_name=task.type,
        queue=OPERATIONS[task.type].queue,
        kwargs=task.request,
        correlation_id=task.correlation_id or task.message_id,
        not_before=task.next_attempt_at or task.not_before,
        priority=task.priority,
        queued_at=task.queued_at,
        is_reminder=is_reminder,
    )


def unsendable(task: Task, *, most_bytes: int) -> TaskError | None:
    """Why no message can be made of a row, if none can: what its error will say."""
    problem = _problem(task, most_bytes)
    if problem is None:
        return None
    return TaskError(code=ErrorCode.VALIDATION_ERROR, message=f"its row cannot be sent: {problem}")


def is_of_task(message: Mapping[str, Any], task: Task) -> bool:
    """Whether a message with a task's id is the task's.

    What the row of another program does not say, its message does: no project, no arguments. As
    :func:`lexiclass_core.tasks.starting.take` has it.
    """
    kwargs = message.get("kwargs")
    if message.get("actor_name") != task.type or not isinstance(kwargs, dict):
        return False
    is_of_project = task.project_id is None or kwargs.get("project_id") == task.project_id
    return is_of_project and task.request in ({}, storable(kwargs))


def _problem(task: Task, most_bytes: int) -> str | None:
    request: Any = task.request
    if not 1 <= len(task.message_id) <= LONGEST_ID:
        return f"its message_id has {len(task.message_id)} characters, expected 1 to {LONGEST_ID}"
    if len(task.correlation_id or "") > LONGEST_ID:
        return f"its correlation_id has more than {LONGEST_ID} characters"
    if isinstance(request, UnreadableJSON):
        return f"its request holds {request.reason}"
    if not isinstance(request, dict):
        return f"its request is a {type(request).__name__}, expected an object"
    if not is_storable(request):
        return f"its request holds numbers too large to be read, or more than {DEEPEST} levels"
    if (size := len(json.dumps(request))) > most_bytes - _OVERHEAD_BYTES:
        return f"its request has {size} bytes, more than DRAMATIQ__MESSAGE_BYTES allows"
    for name in ("not_before", "next_attempt_at"):
        if (moment := getattr(task, name)) is not None and moment >= LATEST:
            return f"its {name} is infinite, or after the year 9999: it would never run"
    return None
