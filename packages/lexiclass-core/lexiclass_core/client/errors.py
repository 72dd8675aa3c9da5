"""Errors of the task client.

::

    TaskClientError
    ├── InvalidTask          the request cannot be a task
    ├── IdempotencyConflict  the key belongs to another request
    ├── BrokerUnavailable    Redis could not be reached
    ├── DatabaseUnavailable  PostgreSQL could not be reached, or gave up on a transaction
    ├── TaskNotFound
    ├── TaskNotFinished      no result yet
    ├── TaskFinished         too late to cancel it
    ├── TaskFailed           the task ended failed or cancelled; carries its error
    └── StorageNotGiven      nobody has said where texts lie
"""

from lexiclass_core.schemas import TaskError


class TaskClientError(Exception):
    """Base of the task client's errors."""


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


class BrokerUnavailable(TaskClientError):
    """Redis could not be reached."""


class DatabaseUnavailable(TaskClientError):
    """PostgreSQL could not be reached, or gave up on a transaction: the same can succeed later."""


class TaskNotFound(TaskClientError):
    """No task has this id."""

    def __init__(self, task: int | str) -> None:
        super().__init__(f"no task {task!r}")
        self.task = task


class TaskNotFinished(TaskClientError):
    """The task has no result yet."""

    def __init__(self, task: int | str, status: str) -> None:
        super().__init__(f"task {task!r} is {status}: it has no result yet")
        self.task = task
        self.status = status


class TaskFinished(TaskClientError):
    """The task has come to its end: it cannot be cancelled any more."""

    def __init__(self, task: int | str, status: str) -> None:
        super().__init__(f"task {task!r} is {status}: it cannot be cancelled any more")
        self.task = task
        self.status = status


class TaskFailed(TaskClientError):
    """The task ended without a result.

    Attributes:
        error: Code, message and details, as in the task row.
    """

    def __init__(self, task: int | str, error: TaskError) -> None:
        super().__init__(f"task {task!r} failed: {error.code}: {error.message}")
        self.task = task
        self.error = error


class StorageNotGiven(TaskClientError):
    """The client was not told where texts lie."""

    def __init__(self) -> None:
        super().__init__(
            "adding documents writes their texts: make the client with storage=..., the workers' "
            "STORAGE__BASE_PATH"
        )
