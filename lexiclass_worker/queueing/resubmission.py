"""What is submitted to run a task once more, as a new task."""

from pydantic import ValidationError

from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import Request
from lexiclass_worker.errors import InvalidRequest, translate


def request_once_more(kind: str | None, request: object, *, parent_id: int | None) -> Request:
    """The request of a task, or of a message without one.

    Args:
        kind: The actor that is named.
        request: Its arguments.
        parent_id: The task that it is a chunk of.

    Raises:
        InvalidRequest: If it cannot be submitted on its own, or never could: the message says why.
    """
    if parent_id is not None:
        raise InvalidRequest(f"it is a chunk of task {parent_id}: submit that one once more")
    operation = OPERATIONS.get(kind or "")
    if operation is None:
        raise InvalidRequest(f"no actor has the name {kind!r}")
    try:
        return operation.request.model_validate(request)
    except ValidationError as error:
        raise translate(error) from None
