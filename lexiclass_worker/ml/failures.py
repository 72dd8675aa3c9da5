"""What an exception of the sandbox means for a task."""

from concurrent.futures import BrokenExecutor

from lexiclass import LexiClassError
from lexiclass_core.schemas import TaskError
from lexiclass_core.storable import storable
from lexiclass_worker.errors import SandboxCrashed, translate


def describe(error: BaseException) -> TaskError:
    """The error as the task row carries it: the library's under its own code, the rest translated.

    Unknown exceptions are named by their class and line; their text stays in the log.
    """
    if isinstance(error, LexiClassError):
        return TaskError(
            code=error.code,
            # What it quotes of a file may be what no row can hold.
            message=storable(error.message),
            details=storable(error.details),
            retryable=error.retryable,
        )
    if isinstance(error, BrokenExecutor):
        return SandboxCrashed(
            "one of several processes that did the work died before it was done"
        ).as_task_error()
    return translate(error).as_task_error()
