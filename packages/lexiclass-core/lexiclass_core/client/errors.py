"""Errors of the task client.

::

    TaskClientError
    ├── BrokerUnavailable   nothing was sent and nothing was left behind
    ├── DatabaseUnavailable
    ├── TaskNotFound
    ├── TaskNotFinished     no result yet
    └── TaskFailed          the task ended failed or cancelled; carries its error
"""

from lexiclass_core.schemas import TaskError


class TaskClientError(Exception):
    """Base of the task client's errors."""


class BrokerUnavailable(TaskClientError):
    """The message could not be sent; no task was left behind."""


class DatabaseUnavailable(TaskClientError):
    """PostgreSQL could not be reached."""


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


class TaskFailed(TaskClientError):
    """The task ended without a result.

    Attributes:
        error: Code, message and details, as in the task row.
    """

    def __init__(self, task: int | str, error: TaskError) -> None:
        super().__init__(f"task {task!r} failed: {error.code}: {error.message}")
        self.task = task
        self.error = error
