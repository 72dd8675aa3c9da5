"""What is submitted to run a task once more."""

from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.models import TaskStatus
from lexiclass_core.queue_config import priority_of
from lexiclass_core.queueing.envelopes import kept_correlation_id
from lexiclass_core.schemas import Request
from lexiclass_core.tasks.errors import InvalidTask
from lexiclass_core.tasks.resubmission import request_once_more
from lexiclass_core.tasks.submission import SubmitOptions


def once_more(old: TaskSnapshot) -> tuple[Request, SubmitOptions]:
    """The request of a task that failed or was cancelled, and how to submit it: as it was.

    Raises:
        InvalidTask: If it has not failed, or cannot be submitted on its own.
    """
    if old.status not in {TaskStatus.FAILED, TaskStatus.CANCELLED}:
        raise InvalidTask(
            f"task {old.id} is {old.status}: only one that failed or was cancelled is retried"
        )
    request = request_once_more(old.type, old.request, parent_id=old.parent_id)
    named = old.correlation_id
    options: SubmitOptions = {
        # Another program may have written any of them.
        "correlation_id": None if named is None else kept_correlation_id(named),
        "priority": priority_of(old.priority),
    }
    return request, options
