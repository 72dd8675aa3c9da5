"""What an exception of the sandbox means for a task."""

from concurrent.futures import BrokenExecutor

from lexiclass import LexiClassError
from lexiclass_core.schemas import TaskError
from lexiclass_worker.errors import SandboxCrashed, StorageUnavailable, translate


def describe(error: Exception) -> TaskError:
    """The error as the task row carries it: the library's under its own code, the rest translated.

    Unknown exceptions are named by their class only; their text stays in the log.
    """
    if isinstance(error, LexiClassError):
        return TaskError(
            code=error.code,
            message=error.message,
            details=dict(error.details),
            retryable=error.retryable,
        )
    if isinstance(error, BrokenExecutor):
        return SandboxCrashed(
            "one of several processes that did the work died before it was done"
        ).as_task_error()
    if isinstance(error, OSError):
        # There is no database here: a lost connection is one to the storage.
        reason = error.strerror or "no reason given"
        return StorageUnavailable(
            f"{type(error).__name__}: {reason}", details={"errno": error.errno}
        ).as_task_error()
    return translate(error).as_task_error()
