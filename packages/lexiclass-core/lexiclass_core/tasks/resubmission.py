"""What is submitted to run a task once more, as a new task."""

from pydantic import ValidationError

from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import Request
from lexiclass_core.tasks.errors import InvalidTask
from lexiclass_core.tasks.submission import problems_of


def request_once_more(kind: str | None, request: object, *, parent_id: int | None) -> Request:
    """The request of a task, or of a message without one.

    Raises:
        InvalidTask: If it cannot be submitted on its own, or never could: the message says why.
    """
    if parent_id is not None:
        raise InvalidTask(f"it is a chunk of task {parent_id}: submit that one once more")
    operation = OPERATIONS.get(kind or "")
    if operation is None:
        raise InvalidTask(f"no actor has the name {kind!r}")
    try:
        return operation.request.model_validate(request)
    except ValidationError as error:
        raise InvalidTask(f"invalid arguments: {problems_of(error)}") from None
