"""Errors of the task client, beside those of :mod:`lexiclass_core.tasks.errors`.

::

    TaskClientError
    ├── BrokerUnavailable    Redis could not be reached
    ├── DatabaseUnavailable  PostgreSQL could not be reached, or gave up on a transaction
    ├── ClientClosed         the client was closed
    ├── TaskNotFinished      no result yet
    ├── TaskFailed           the task ended failed or cancelled; carries its error
    └── StorageNotGiven      nobody has said where texts and reports lie
"""

from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.errors import TaskClientError


class BrokerUnavailable(TaskClientError):
    """Redis could not be reached."""


class DatabaseUnavailable(TaskClientError):
    """PostgreSQL could not be reached, or gave up on a transaction: the same can succeed later."""


class ClientClosed(TaskClientError):
    """The client was closed, or is being closed by another thread."""

    def __init__(self) -> None:
        super().__init__("the client was closed: make another one")


class TaskNotFinished(TaskClientError):
    """The task has no result yet."""

    def __init__(self, task: int | str, status: str) -> None:
        super().__init__(f"task {task!r} is {status}: it has no result yet")
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
    """The client was not told where texts and reports lie."""

    def __init__(self) -> None:
        super().__init__(
            "texts of documents and reports lie in the storage: make the client with storage=..., "
            "the workers' STORAGE__BASE_PATH"
        )
