"""What is logged in a child, written by the worker: in its format, with the ids of the task."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

# Longer than any of a library; a traceback of one has some thousand characters.
_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 20_000
_SAID_OF_LENGTH: Final = 50  # what a child has cut is not cut again

MOST_RECORDS: Final = 200
"""Records that are logged of each :data:`PERIOD_S`."""

PERIOD_S: Final = 10.0
"""Seconds."""

_log: Final = logging.getLogger(__name__)


class _Sender(logging.Handler):
    """Hands records over as plain values."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._send = send
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record; one of a process that the job has forked goes to standard error."""
        if os.getpid() != self._process:
            # Its frames would fall between those of the child, whose socket it has inherited.
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        try:
            text = cut(self.format(record))
            self._send({"logger": record.name, "level": record.levelno, "text": text})
        except OSError:
            # The worker is gone, and this process about to be.
            self.handleError(record)


def send_logs(send: Callable[[dict[str, Any]], None], *, level: int) -> None:
    """Send what this process logs, warnings included, from a level on."""
    logging.basicConfig(format="%(message)s", handlers=[_Sender(send)], level=level, force=True)
    logging.captureWarnings(capture=True)


def log_for_child(entry: Mapping[str, Any]) -> None:
    """Log what a child has sent, where its task's ids are bound.

    No logger is made for it: they are kept for ever, with one for each dot of a name.
    """
    name, text = str(entry["logger"])[:_LONGEST_NAME], cut(str(entry["text"]))
    level = int(entry["level"])
    logger = _nearest_logger(name)
    if not logger.isEnabledFor(level):
        return
    logger.handle(logger.makeRecord(name, level, "", 0, "%s", (text,), None))


class ChildLog:
    """Logs what the child of one job sends, in bounds of number, and how much there was beyond.

    Args:
        now: A clock that is never set back, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun_at = now()
        self._logged = self._dropped = 0

    def take(self, entry: Mapping[str, Any]) -> None:
        """Log a record, unless there were too many."""
        if self._now() - self._begun_at >= PERIOD_S:
            self.end()
            self._begun_at, self._logged = self._now(), 0
        if self._logged < MOST_RECORDS:
            self._logged += 1
            log_for_child(entry)
        else:
            self._dropped += 1

    def end(self) -> None:
        """Tell how many records were left out."""
        if self._dropped:
            _log.warning("A child has logged %d more lines, which are left out", self._dropped)
            self._dropped = 0


def cut(text: str) -> str:
    """As much of a text as is logged."""
    if len(text) <= _LONGEST_TEXT + _SAID_OF_LENGTH:
        return text
    return f"{text[:_LONGEST_TEXT]}... ({len(text)} characters)"


def _nearest_logger(name: str) -> logging.Logger:
    while name:
        found = logging.Logger.manager.loggerDict.get(name)
        if isinstance(found, logging.Logger):
            return found
        name = name.rpartition(".")[0]
    return logging.getLogger()
