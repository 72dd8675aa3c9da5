"""What a task's row refuses.

::

    TaskClientError
    ├── InvalidTask          the request cannot be a task
    ├── IdempotencyConflict  the key belongs to another request
    ├── TaskNotFound
    └── TaskFinished         too late to cancel it

    LeaseLost                whoever ran the task does so no more
    CancelRequested          the task is to be cancelled, and does not go on
    MessageIdTaken           a message has the id of another's task
"""


class TaskClientError(Exception):
    """Base of what whoever submits tasks and follows them may get."""


class InvalidTask(TaskClientError, ValueError):
    """The request, or what is to be kept with it, cannot be a task; nothing was submitted."""


class IdempotencyConflict(TaskClientError):
    """The project's idempotency key belongs to a task with another request.

    Attributes:
        task_id: That task.
    """

    def __init__(self, key: str, task_id: int) -> None:
        super().__init__(
            f"the idempotency key {key!r} belongs to task {task_id}, whose request is another one: "
            "take a new key for a new request"
        )
        self.task_id = task_id


class TaskNotFound(TaskClientError):
    """No task has this id."""

    def __init__(self, task: int | str) -> None:
        super().__init__(f"no task {task!r}")
        self.task = task


class TaskFinished(TaskClientError):
    """The task has come to its end: it cannot be cancelled any more."""

    def __init__(self, task: int | str, status: str) -> None:
        super().__init__(f"task {task!r} is {status}: it cannot be cancelled any more")
        self.task = task
        self.status = status


class LeaseLost(Exception):
    """Another worker runs the task now, or the task is final: what this one did does not count."""

    def __init__(self, task_id: int) -> None:
        super().__init__(
            f"the lease of task {task_id} is lost: another worker has taken the task over, or it "
            "is final; nothing more of this attempt is written"
        )


class CancelRequested(Exception):
    """Somebody wants the task cancelled: it neither succeeds nor waits."""

    def __init__(self) -> None:
        super().__init__("cancelled on request while it ran")


class MessageIdTaken(Exception):
    """A message has the id of a task that another message has made, or another request."""

    def __init__(self, task_id: int) -> None:
        super().__init__(
            f"its message id is that of task {task_id}, which has another actor, project or request"
        )
