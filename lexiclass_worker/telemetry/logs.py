"""Logging: loguru to one stream, JSON or text, with the standard library's logging routed in."""

import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from loguru import logger

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.log_lines import CONTEXT_FIELDS, json_line, text_line
from lexiclass_worker.telemetry.throttle import Repetition, Throttle

if TYPE_CHECKING:
    from loguru import Message, Record

# A line that differs in how long something took is the same line.
_DURATION: Final = re.compile(r"\d+\.\d+")

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}
"""What every record of the standard library has; anything else was given as ``extra=``."""


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send every log line of this process to one stream; calling it again replaces the set-up.

    Loguru, the standard library's loggers, warnings and uncaught exceptions all go through it, and
    those that nobody can catch.
    Each line is written by one call, for the pipe of a Dramatiq worker forwards each write as it
    is. A stream that cannot be written costs lines, never a task; how many is said once it can be
    written again. A line that is repeated is said once, and then once a minute how often.

    Without ``stream`` they go to ``sys.stderr`` of this moment. Dramatiq replaces it after a fork,
    so call this in the process that logs.
    """
    redact = settings.redact
    line_of = json_line if settings.log_format == "json" else text_line
    sink = _Sink(sys.stderr if stream is None else stream, lambda record: line_of(record, redact))
    logger.remove()
    logger.add(
        sink,
        level=settings.log_level,
        # The sink makes the line from the record; an empty format saves making it twice.
        format=lambda _record: "",
        backtrace=False,
        diagnose=False,
        catch=True,
    )
    _route_standard_logging(settings.log_level)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


class _Sink:
    """Writes lines; counts those that could not be written, and those that are repeated.

    Loguru calls it under a lock.
    """

    def __init__(self, stream: TextIO, line_of: Callable[["Record"], str]) -> None:
        self._stream = stream
        self._line_of = line_of
        self._lost = 0
        self._throttle: Throttle[Record] = Throttle()

    def __call__(self, message: "Message") -> None:
        for repetition in self._throttle.repetitions():
            self._say(_counted(repetition))
        record = message.record
        if not _may_be_repeated(record) or self._throttle.lets_through(_sameness(record), record):
            self._say(record)

    def _say(self, record: "Record") -> None:
        if not self._write(self._line_of(record)):
            self._lost += 1
        elif self._lost and self._write(self._notice(record)):
            self._lost = 0

    def _notice(self, record: "Record") -> str:
        notice = record.copy()
        notice["message"] = f"{self._lost} log lines were lost: their stream could not be written"
        notice["exception"] = None
        return self._line_of(notice)

    def _write(self, line: str) -> bool:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            # A full disk, a reader that went away, a closed stream: there is nowhere to say so.
            return False
        return True


def _may_be_repeated(record: "Record") -> bool:
    """Whether a line is one of those that are counted: what happens to a task is told in full."""
    is_of_task = "message_id" in record["extra"]
    return record["level"].no >= (logging.WARNING if is_of_task else logging.INFO)


def _sameness(record: "Record") -> Hashable:
    """What two lines have in common if one repeats the other: the attempt, and the words."""
    exception = record["exception"]
    failure = "" if exception is None else f"{exception.type} {exception.value}"
    return (
        record["name"],
        record["level"].no,
        *(str(record["extra"].get(name)) for name in CONTEXT_FIELDS),
        _DURATION.sub("", record["message"]),
        _DURATION.sub("", failure),
    )


def _counted(repetition: "Repetition[Record]") -> "Record":
    record = repetition.line.copy()
    times = "once" if repetition.count == 1 else f"{repetition.count} times"
    record["message"] += f" (repeated {times} in {repetition.seconds:.0f} s)"
    # Said with the first of them.
    record["exception"] = None
    return record


class _InterceptHandler(logging.Handler):
    """Hands the records of the standard library to loguru under their own logger's name."""

    def emit(self, record: logging.LogRecord) -> None:
        extra = {
            name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES
        }
        if record.stack_info:
            extra["stack"] = record.stack_info
        exc_info = record.exc_info if record.exc_info and record.exc_info[0] else None

        def take_origin(target: "Record") -> None:
            target["name"] = record.name
            target["function"] = record.funcName or ""
            target["line"] = record.lineno

        logger.bind(**extra).opt(exception=exc_info).patch(take_origin).log(
            _loguru_level(record), _message(record)
        )


def _route_standard_logging(level: str) -> None:
    for severity in ("TRACE", "SUCCESS"):
        logging.addLevelName(logger.level(severity).no, severity)
    # `force` takes away the handler that Dramatiq's own basicConfig put in, or each of its
    # lines would be there twice.
    logging.basicConfig(handlers=[_InterceptHandler()], level=logger.level(level).no, force=True)
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del file, line
    logging.getLogger("py.warnings").warning(
        "%s: %s (%s:%d)", category.__name__, message, filename, lineno
    )


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # The arguments do not fit the format: a mistake of the caller that must not cost the line.
        return f"{record.msg!r} with {record.args!r}"


def _loguru_level(record: logging.LogRecord) -> str | int:
    try:
        return logger.level(record.levelname).name
    except ValueError:
        return record.levelno


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.opt(exception=(kind, error, traceback)).critical("uncaught exception")


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "an ended thread"
    logger.opt(exception=(args.exc_type, args.exc_value, args.exc_traceback)).critical(
        "uncaught exception in thread {}", name
    )


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    """An exception that a finalizer raised, for one."""
    what = args.err_msg or "exception ignored in"
    logger.opt(exception=(args.exc_type, args.exc_value, args.exc_traceback)).error(
        "exception that nothing could catch: {} {!r}", what, args.object
    )
