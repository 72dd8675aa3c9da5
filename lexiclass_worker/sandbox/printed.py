"""What children print: lines of the log, so that nobody takes them for the worker's own.

Whoever runs in a child can print what it likes, as much and as fast as it likes.
"""

import os
import re
import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Final

from loguru import logger

LONGEST_LINE: Final = 1_000
"""Characters of a line that are told."""

FIRST_LINES: Final = 50
"""Lines that are told of each :data:`PERIOD_S` as they come."""

LAST_LINES: Final = 10
"""Lines that are told at its end: of a traceback they are the error."""

PERIOD_S: Final = 10.0
"""Seconds."""

_PART_BYTES: Final = 65_536
_BETWEEN_LINES: Final = re.compile(rb"[\r\n]+")
# As UTF-8, in which a character has four bytes at most; one more tells that there are more.
_KEPT_BYTES: Final = 4 * (LONGEST_LINE + 1)


class PrintedLines:
    """Tells lines in bounds of length and number, and how many there were beyond these.

    Args:
        now: A clock that is never set back, in seconds.
    """

    def __init__(
        self, tell: Callable[[str], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._now = now
        self._rest = b""
        self._begun_at = now()
        self._logged = self._dropped = 0
        self._last = deque[bytes](maxlen=LAST_LINES)

    def take(self, data: bytes) -> None:
        """Tell the lines that end in what was printed last; the rest waits for its end."""
        *lines, rest = _BETWEEN_LINES.split(self._rest + data)
        self._rest = rest[:_KEPT_BYTES]
        for line in lines:
            self._take_line(line)

    def look(self) -> None:
        """Begin anew to count once a period is over, and tell its last lines."""
        if self._now() - self._begun_at < PERIOD_S:
            return
        self._tell_last()
        self._begun_at, self._logged = self._now(), 0

    def end(self) -> None:
        """Tell what is left: nothing more will come."""
        self._take_line(self._rest)
        self._rest = b""
        self._tell_last()

    def _take_line(self, line: bytes) -> None:
        if not line.strip():
            return
        self.look()
        if self._logged < FIRST_LINES:
            self._logged += 1
            self._tell(_shown(line))
        else:
            self._dropped += len(self._last) == LAST_LINES
            self._last.append(line)

    def _tell_last(self) -> None:
        if self._dropped:
            self._tell(f"({self._dropped} more lines, which are not logged)")
            self._dropped = 0
        for line in self._last:
            self._tell(_shown(line))
        self._last.clear()


def _shown(line: bytes) -> str:
    """A line without what a terminal would act upon."""
    text = line[:_KEPT_BYTES].decode(errors="backslashreplace")
    plain = "".join(each if each.isprintable() else _escaped(each) for each in text)
    return plain if len(plain) <= LONGEST_LINE else f"{plain[:LONGEST_LINE]}... (cut)"


def _escaped(character: str) -> str:
    return " " if character == "\t" else character.encode("unicode_escape").decode()


class OutputPipe:
    """A new pipe, for one process to print to: what comes through it is logged.

    Not this process' own output, which may be the file of a log: a child could cut it off, or have
    writes to it fail. Nor one pipe for several: each could read what the others print, by opening
    it anew.

    Attributes:
        write_end: A descriptor, until :meth:`close`.
    """

    def __init__(self) -> None:
        read_end, self.write_end = os.pipe()
        self._logging = Thread(target=_log, args=(read_end,), name="sandbox-output", daemon=True)
        self._logging.start()

    def close(self) -> None:
        """Let go of the write end, which the process has by now."""
        os.close(self.write_end)

    def join(self, timeout_s: float) -> None:
        """Wait until all that the process has printed is logged, or for so long."""
        self._logging.join(timeout_s)


def _log(descriptor: int) -> None:
    """Log what comes through a pipe until its other ends are closed, and close it."""
    printed = PrintedLines(lambda line: logger.warning("A child has printed: {line}", line=line))
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    with suppress(OSError):
        while True:
            if not poll.poll(PERIOD_S * 1000):
                printed.look()
            elif part := os.read(descriptor, _PART_BYTES):
                printed.take(part)
            else:
                break
    printed.end()
    os.close(descriptor)
