"""How a run of a task can end other than with a result."""

from lexiclass_core.schemas import TaskError


class TaskFailed(Exception):
    """The task failed for good: its row says so, its message becomes a dead letter.

    Its text is the error as JSON, which is what the result backend keeps of an exception.
    """

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.model_dump_json())
        self.error = error


class RetryLater(Exception):
    """The task is to be tried again.

    Attributes:
        error: What this attempt failed with.
        delay_s: Seconds to wait before the next attempt.
    """

    def __init__(self, error: TaskError, *, delay_s: float) -> None:
        super().__init__(error.model_dump_json())
        self.error = error
        self.delay_s = delay_s


class RunsElsewhere(Exception):
    """Another worker holds the task: the message comes back to see what became of it.

    It is not dropped, for the other may die before it is done.

    Attributes:
        delay_s: Seconds until it does.
    """

    def __init__(self, message: str, *, delay_s: float) -> None:
        super().__init__(message)
        self.delay_s = delay_s
