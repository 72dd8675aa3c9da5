"""The error family.

::

    WorkerError
    ├── PermanentError            trying the same request again cannot help
    │   ├── InvalidRequest        VALIDATION_ERROR
    │   ├── NotFound              NOT_FOUND
    │   ├── NoTrainingLabels      NO_TRAINING_LABELS
    │   ├── NoTestLabels          NO_TEST_LABELS
    │   ├── NotEnoughDocuments    NOT_ENOUGH_DOCUMENTS
    │   ├── NoReadyModel          NO_READY_MODEL
    │   ├── NoCertifiedThreshold  NO_CERTIFIED_THRESHOLD
    │   ├── NoDocuments           NO_DOCUMENTS
    │   ├── PluginMismatch        PLUGIN_MISMATCH
    │   ├── ModelCorrupt          MODEL_CORRUPT
    │   ├── TimeLimitReached      TIME_LIMIT
    │   ├── MemoryLimitReached    MEMORY_LIMIT
    │   ├── WorkStopped           CANCELLED
    │   ├── InternalError         INTERNAL_ERROR
    │   ├── ChunksFailed          the code of the first chunk that failed
    │   └── SandboxFailure        whatever code the work in the sandbox failed with
    └── TransientError            trying again later can help
        ├── StorageUnavailable    STORAGE_ERROR
        ├── DatabaseUnavailable   DATABASE_ERROR
        └── SandboxCrashed        CRASHED

Every one carries a code of :class:`lexiclass_core.codes.ErrorCode`, a message that says what was
found and what to do, and details for programs. A service raises the most specific one;
:func:`translate` finds the one that fits any other exception.
"""

import traceback
from asyncio import CancelledError
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, ClassVar, Final

from pydantic import ValidationError

from lexiclass_core.codes import ErrorCode
from lexiclass_core.layout import PathOutsideProjectError, UnsafeNameError
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.errors import CancelRequested
from lexiclass_worker.causes import cause_of, is_of_database, path_of
from lexiclass_worker.redaction import Redactor

# Whose errors fsspec's file system of an object store lets through beside OSErrors: no connection,
# no credentials. By name, for none of them need be installed.
_OBJECT_STORES: Final = frozenset({"botocore", "aiobotocore", "aiohttp"})


class WorkerError(Exception):
    """Base of every error a task can end with.

    Attributes:
        retryable: Whether trying the same request again can help.
    """

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    def as_task_error(self) -> TaskError:
        """The error as the task row and the result backend carry it."""
        return TaskError(
            code=self.code, message=self.message, details=self.details, retryable=self.retryable
        )


class PermanentError(WorkerError):
    """Trying the same request again cannot help."""


class TransientError(WorkerError):
    """Trying again later can help."""

    retryable = True


class InvalidRequest(PermanentError):
    """The request itself is wrong."""

    code = ErrorCode.VALIDATION_ERROR


class NotFound(PermanentError):
    """Something that the request names does not exist."""

    code = ErrorCode.NOT_FOUND


class NoTrainingLabels(PermanentError):
    """The field has no label with is_training_data = true."""

    code = ErrorCode.NO_TRAINING_LABELS


class NoTestLabels(PermanentError):
    """The field has no label with is_training_data = false."""

    code = ErrorCode.NO_TEST_LABELS


class NotEnoughDocuments(PermanentError):
    """Fewer than two documents, or fewer than two classes."""

    code = ErrorCode.NOT_ENOUGH_DOCUMENTS


class NoReadyModel(PermanentError):
    """The field has no model to use."""

    code = ErrorCode.NO_READY_MODEL


class NoCertifiedThreshold(PermanentError):
    """Nothing is known from which confidence on an accuracy is reached."""

    code = ErrorCode.NO_CERTIFIED_THRESHOLD


class NoDocuments(PermanentError):
    """There is nothing to read."""

    code = ErrorCode.NO_DOCUMENTS


class PluginMismatch(PermanentError):
    """The request names another pipeline than the model's."""

    code = ErrorCode.PLUGIN_MISMATCH


class ModelCorrupt(PermanentError):
    """A model whose files and rows do not belong together."""

    code = ErrorCode.MODEL_CORRUPT


class TimeLimitReached(PermanentError):
    """One run took longer than its operation may."""

    code = ErrorCode.TIME_LIMIT


class MemoryLimitReached(PermanentError):
    """One run needed more memory than there is."""

    code = ErrorCode.MEMORY_LIMIT


class WorkStopped(PermanentError):
    """The work was cancelled from outside: by a person or a shutdown."""

    code = ErrorCode.CANCELLED


class InternalError(PermanentError):
    """A fault of ours. The log has the traceback."""


class SandboxFailure(PermanentError):
    """A permanent error that came out of the sandbox, under its own code."""

    def __init__(
        self, code: ErrorCode, message: str, *, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.code = code


class ChunksFailed(PermanentError):
    """Some chunks of a task failed for good, under the code of the first of them.

    Their attempts are used up, so the task is not tried again; whether sending its request once
    more can help is what that first one says.
    """

    def __init__(self, message: str, *, first: TaskError, details: Mapping[str, Any]) -> None:
        super().__init__(message, details=details)
        self.code = ErrorCode(first.code)
        self._first = first

    def as_task_error(self) -> TaskError:
        """See :meth:`WorkerError.as_task_error`."""
        return super().as_task_error().model_copy(update={"retryable": self._first.retryable})


class StorageUnavailable(TransientError):
    """The storage could not be read or written.

    Args:
        is_begun: Whether the work was begun, or waits for room on the disk: then it is no attempt.
    """

    code = ErrorCode.STORAGE_ERROR

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, is_begun: bool = True
    ) -> None:
        super().__init__(message, details=details)
        self.is_begun = is_begun


class DatabaseUnavailable(TransientError):
    """PostgreSQL could not be reached, or gave up on a transaction."""

    code = ErrorCode.DATABASE_ERROR


class SandboxCrashed(TransientError):
    """The process that did the work died without a word."""

    code = ErrorCode.CRASHED


def without_secrets(error: TaskError, redact: Redactor) -> TaskError:
    """The error as rows, messages and people may have it."""
    return error.model_copy(
        update={"message": redact(error.message), "details": redact.plain(error.details)}
    )


def translate(error: BaseException) -> WorkerError:
    """The member of this family that says what any exception means for a task.

    Unknown exceptions become :class:`InternalError` under their class and the line that raised
    them: their text may quote a document, which must not leave the log.
    """
    match error:
        case WorkerError():
            return error
        case ValidationError():
            return _invalid_arguments(error)
        case PathOutsideProjectError():
            return InvalidRequest(
                str(error), details={"path": error.path, "project_id": error.project_id}
            )
        case UnsafeNameError():
            return InvalidRequest(str(error), details={"name": error.name})
        case CancelRequested() | CancelledError():
            return WorkStopped(str(error) or "the work was stopped before it was done")
        case MemoryError():
            return MemoryLimitReached("the worker ran out of memory")
        case _ if is_of_database(error):
            return _database_error(error)
        case OSError():
            # Never of the database, which has errors of its own.
            return _storage_error(error)
        case _ if any(c.__module__.partition(".")[0] in _OBJECT_STORES for c in type(error).mro()):
            return StorageUnavailable(f"the object store could not be used: {cause_of(error)}")
        case _:
            return _unexpected(error)


def _storage_error(error: OSError) -> StorageUnavailable:
    details: dict[str, Any] = {"errno": error.errno}
    if path := path_of(error):
        details["path"] = path
    return StorageUnavailable(cause_of(error), details=details)


def _invalid_arguments(error: ValidationError) -> InvalidRequest:
    """Every wrong argument in one message; inputs are left out, they may be large."""
    problems = [
        {"argument": ".".join(map(str, problem["loc"])), "problem": problem["msg"]}
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    text = "; ".join(f"{problem['argument']}: {problem['problem']}" for problem in problems)
    return InvalidRequest(f"invalid arguments: {text}", details={"problems": problems})


def _database_error(error: BaseException) -> WorkerError:
    # The sandbox, where there is none, does without the libraries that this loads.
    from lexiclass_worker.database_errors import read_database_error  # noqa: PLC0415

    failure = read_database_error(error)
    if failure is None:
        return _unexpected(error)
    kind = DatabaseUnavailable if failure.is_transient else InternalError
    return kind(failure.message, details=failure.details)


def _unexpected(error: BaseException) -> InternalError:
    return InternalError(
        f"unexpected {type(error).__name__}{_raised_at(error)}; the traceback is in the log "
        "of the worker that ran it, under the id of the task's message"
    )


def _raised_at(error: BaseException) -> str:
    """Where an exception comes from, as part of a sentence; nothing if it was not raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    file = "/".join(PurePath(frames[-1].filename).parts[-2:])
    return f" in {file}, line {frames[-1].lineno}"
