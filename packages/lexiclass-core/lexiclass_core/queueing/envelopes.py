"""The messages of tasks, made from their rows: those of other programs may hold anything."""

import json
from collections.abc import Mapping
from typing import Any, Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db.values import LATEST, UnreadableJSON
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import Task
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.entries import MOST_VALUES, has_too_many_values
from lexiclass_core.schemas import TaskError
from lexiclass_core.storable import DEEPEST, is_storable, storable

LONGEST_ID: Final = 500
"""Characters of a message id: what the index of task rows takes is 2,704 bytes, 4 for a character
at most."""

# Ids, names and numbers of a message, beside its arguments.
_OVERHEAD_BYTES: Final = 8_192
_OVERHEAD_VALUES: Final = 100

# Between these a number that is written as a float is not the integer of its digits.
_LAST_WHOLE, _FIRST_WITHOUT_FLOAT = 2**53, 2**1023


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
    sent = storable(kwargs)
    is_same = task.request in ({}, sent) or _as_written(task.request) == _as_written(sent)
    return is_of_project and is_same


def _as_written(value: Any) -> Any:
    """A JSON value with large numbers as they are read of 1e30, which PostgreSQL writes out."""
    match value:
        case dict():
            return {key: _as_written(item) for key, item in value.items()}
        case list():
            return [_as_written(item) for item in value]
        case int() if _LAST_WHOLE < abs(value) < _FIRST_WITHOUT_FLOAT:
            return float(value)
        case _:
            return value


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
    arguments = json.dumps(request).encode()
    if len(arguments) > most_bytes - _OVERHEAD_BYTES:
        return f"its request has {len(arguments)} bytes, more than DRAMATIQ__MESSAGE_BYTES allows"
    if has_too_many_values(arguments, beside=_OVERHEAD_VALUES):
        return f"its request has more than {MOST_VALUES} values"
    for name in ("not_before", "next_attempt_at"):
        if (moment := getattr(task, name)) is not None and moment >= LATEST:
            return f"its {name} is infinite, or after the year 9999: it would never run"
    return None
