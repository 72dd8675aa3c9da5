"""What a job came to, and the errors that say so."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from loguru import logger

from lexiclass_core.codes import ErrorCode
from lexiclass_core.schemas import TaskError
from lexiclass_worker.errors import (
    InternalError,
    MemoryLimitReached,
    SandboxCrashed,
    SandboxFailure,
    StorageUnavailable,
    WorkerError,
)

ModelLookup = Literal["hit", "miss"]
"""Whether a model was still loaded in the child that needed it."""


_NAMED_DOCUMENTS: Final = 5

# What is said before the last message: a line of a log is cut to some thousand characters, each of
# which may take twelve bytes as JSON.
_LONGEST_REMARK: Final = 2**20
_REMARKS: Final = frozenset({"progress", "log", "asks", "begun"})

# Of some million documents that could not be read.
_MOST_VALUES: Final = 16_000_000

# A job needs one or two; each is counted for ever under its name.
_LOOKUPS: Final = frozenset(get_args(ModelLookup))
_MOST_LOOKUPS: Final = 1_000

# Of a traceback: its beginning, and what happened.
_LONGEST_END: Final = 10_000

_LONGEST_STAGE: Final = 100
_TOO_MANY: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a job ended in a child that lives on.

    Attributes:
        result: What its function returned; empty after an error.
    """

    result: dict[str, Any] = field(default_factory=dict)
    error: WorkerError | None = None
    lookups: tuple[ModelLookup, ...] = ()

    @property
    def leaves_child_usable(self) -> bool:
        """Whether nothing speaks against another job in the same child."""
        return self.error is None or self.error.code not in {
            ErrorCode.MEMORY_LIMIT,
            ErrorCode.INTERNAL_ERROR,
            ErrorCode.CRASHED,
        }


@dataclass(slots=True)
class CrashReport:
    """What is known of a child's job should it die: as much as an error's details can hold.

    Attributes:
        has_begun: Whether it had taken the job.
        peak_memory_bytes: The most it had taken for the job when it was last looked at.
        progress: Stage, done and total of its last report.
        document_ids: What each of its processes had read last, in that stage.
    """

    has_begun: bool = False
    peak_memory_bytes: int = 0
    progress: tuple[str, int, int] | None = None
    document_ids: list[int] = field(default_factory=list)

    def details(self) -> dict[str, Any]:
        """As JSON values."""
        stage, done, total = self.progress or (None, None, None)
        return {
            "peak_memory_bytes": self.peak_memory_bytes,
            "stage": stage,
            "done": done,
            "total": total,
            "document_ids": self.document_ids,
        }

    def where(self) -> str:
        """The stage and the documents, as part of a sentence; nothing if neither is known."""
        stage = "" if self.progress is None else f", in stage {self.progress[0]!r}"
        ids = ", ".join(map(str, self.document_ids[:_NAMED_DOCUMENTS]))
        return f"{stage}, with document {ids}" if ids else stage


def read_message(data: bytes | bytearray) -> dict[str, Any]:
    """Parse what a child has sent.

    Raises:
        ValueError: If it is no message, or takes more memory than any: "[]," takes 64 bytes; or
            if it is long and not the last about a job, which there is one of.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise ValueError(f"a message of the sandbox has more than {_MOST_VALUES} values")
    try:
        message = json.loads(data)
    except RecursionError as error:
        raise ValueError("a message of the sandbox is nested too deeply") from error
    if not isinstance(message, dict):
        raise TypeError("a message of the sandbox is no object")
    if len(data) > _LONGEST_REMARK and message.keys() & _REMARKS:
        raise ValueError(f"a remark of the sandbox has more than {_LONGEST_REMARK} bytes")
    return message


def read_progress(found: Any) -> tuple[str, int, int]:
    """The stage, what is done of it and its total.

    Raises:
        ValueError: If it is none.
    """
    stage, done, total = found
    numbers = (done, total)
    if not isinstance(stage, str) or len(stage) > _LONGEST_STAGE:
        raise ValueError("the stage of a report is no short name")
    # A plugin may count in fractions; of what is no number abs gives none.
    if not all(abs(number) < _TOO_MANY for number in numbers):
        raise ValueError("a report counts what cannot be counted")
    return stage, int(done), int(total)


def read_reply(message: Mapping[str, Any], report: CrashReport) -> Reply:
    """Make a reply of the last message about a job.

    Raises:
        ValueError: If it says of look-ups what none comes to.
    """
    lookups = tuple(message["lookups"])
    if len(lookups) > _MOST_LOOKUPS or not _LOOKUPS.issuperset(lookups):
        raise ValueError("a child of the sandbox tells what is no look-up of a model")
    if "result" in message:
        return Reply(result=message["result"], lookups=lookups)
    error = _failure(TaskError.model_validate(message["error"]), report)
    # What was foreseen is told in full by the error; the rest by its class and line.
    level = "ERROR" if error.code == ErrorCode.INTERNAL_ERROR else "INFO"
    logger.log(
        level,
        "The work failed in the sandbox:\n{traceback}",
        # A log looks for secrets in all that it is given.
        traceback=_ends_of(str(message["traceback"])),
    )
    return Reply(error=error, lookups=lookups)


def _ends_of(text: str) -> str:
    if len(text) <= 2 * _LONGEST_END:
        return text
    left_out = len(text) - 2 * _LONGEST_END
    return f"{text[:_LONGEST_END]}... ({left_out} characters) ...{text[-_LONGEST_END:]}"


def crash(exit_code: int | None, report: CrashReport) -> SandboxCrashed:
    """The error of a child that died without a word."""
    died_by = None
    if exit_code is not None and exit_code < 0:
        died_by = _name_of_signal(-exit_code)
        cause = f"was killed by {died_by}"
    else:
        cause = f"ended with exit code {exit_code}"
    return SandboxCrashed(
        f"the process that did the work {cause} before it was done{report.where()}",
        details={"exit_code": exit_code, "signal": died_by, **report.details()},
    )


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # those between SIGRTMIN and SIGRTMAX have none
        return f"signal {number}"


def too_much_memory(limit_bytes: int, report: CrashReport) -> MemoryLimitReached:
    """The error of a child that was killed because it took more than it may."""
    return MemoryLimitReached(
        f"the task took {_mebibytes(report.peak_memory_bytes)} of memory and may take "
        f"{_mebibytes(limit_bytes)}: give it less to do at once, or raise LIMITS__MEMORY_BYTES",
        details={"limit_bytes": limit_bytes, **report.details()},
    )


def too_many_threads(number: int, limit: int, report: CrashReport) -> SandboxFailure:
    """The error of a child that was killed because it started processes or threads without end."""
    return SandboxFailure(
        ErrorCode.CRASHED,
        f"the work had started {number} threads and processes and may have {limit}{report.where()}",
        details={"num_threads": number, "limit": limit, **report.details()},
    )


def _failure(error: TaskError, report: CrashReport) -> WorkerError:
    match error.code:
        case ErrorCode.STORAGE_ERROR if error.retryable:
            return StorageUnavailable(error.message, details=error.details)
        case ErrorCode.INTERNAL_ERROR:
            return InternalError(error.message, details=error.details)
        case ErrorCode.CRASHED:
            # A process that the child had started.
            details = {**error.details, **report.details()}
            return SandboxCrashed(f"{error.message}{report.where()}", details=details)
        case ErrorCode.MEMORY_LIMIT:
            details = {**error.details, "peak_memory_bytes": report.peak_memory_bytes}
            return MemoryLimitReached(error.message, details=details)
        case _:
            return SandboxFailure(ErrorCode(error.code), error.message, details=error.details)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
