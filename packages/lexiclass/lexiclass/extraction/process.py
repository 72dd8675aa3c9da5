"""The process that parsers run in, as its parent sees it.

It gets bytes, or a file that is open already, and answers with JSON. It is bounded in memory and,
for each answer, in time.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.child import OUT_OF_MEMORY

# The parent's path instead of an environment, which may hold passwords.
_START: Final = (
    "import json, sys; sys.path[:], memory = json.loads(sys.argv[1]); "
    "from lexiclass.extraction.child import serve; serve(memory)"
)
# A text as JSON with every character escaped, and what is said of it.
_JSON_GROWTH: Final = 6
_METADATA_BYTES: Final = 2**20
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionLimits:
    """What reading one document, or one batch of rows, may take.

    Attributes:
        seconds: Of processor time.
        clock_seconds: By the clock, for a parser that waits: much more, as a busy machine makes no
            document unreadable.
        memory_bytes: Beside what the process takes by itself. Kept on Linux only.
        text_bytes: Longest text.
    """

    seconds: float = 30.0
    clock_seconds: float = 600.0
    memory_bytes: int = 2**30
    text_bytes: int = 64 * 2**20


class ParserFailed(DocumentUnreadable):
    """A parser went beyond its bounds or died: the document may be read in another form."""


class ParserProcess:
    """A process that parses what it is sent, or a file with a descriptor, until it is closed.

    Raises:
        OSError: If it can't be started.
    """

    def __init__(self, limits: ExtractionLimits, file: BinaryIO | None = None) -> None:
        self._limits = limits
        self._file = None if file is None else file.fileno()
        # What lies in the folder that the parent runs in is not imported.
        path = [entry for entry in sys.path if Path(entry).is_absolute()]
        arguments = json.dumps([path, limits.memory_bytes])
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            bufsize=0,
            pass_fds=() if self._file is None else (self._file,),
        )
        self.is_usable = True

    def ask(self, function: str, data: bytes = b"", **arguments: Any) -> Iterator[dict[str, Any]]:
        """Send a request and return the answers to it: one, or several that a "more" announces.

        The function, ``"package.module:function"``, is given the data and arguments that are JSON.
        After an error, and where the last answer says so, :attr:`is_usable` is false.

        Raises:
            DocumentUnreadable: With the function's reason.
            ParserFailed: Naming the bound that was met, or what the process died of.
        """
        request = {
            "function": function, "arguments": arguments, "size": len(data), "file": self._file,
            "seconds": self._limits.seconds,
        }  # fmt: skip
        # Until the last answer has come, half of one may be on the way.
        self.is_usable = False
        try:
            self._send(json.dumps(request).encode() + b"\n", data)
            while True:
                answer = self._receive()
                if "more" not in answer:
                    break
                yield answer
        except TimeoutError as error:
            took = f"took longer than {self._limits.clock_seconds:g} s"
            raise ParserFailed(took) from error
        except (EOFError, BrokenPipeError) as error:
            raise ParserFailed(self._cause_of_death()) from error
        self.is_usable = not answer["last"]
        if "refused" in answer:
            raise DocumentUnreadable(answer["refused"])
        yield answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _send(self, *pieces: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[self._process.stdin.write(view) :]

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._limits.clock_seconds
        size = int.from_bytes(self._read(8, deadline))
        if size > _JSON_GROWTH * self._limits.text_bytes + _METADATA_BYTES:
            raise DocumentUnreadable("its text is too large")
        answer: dict[str, Any] = json.loads(self._read(size, deadline))
        return answer

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while len(data) < size:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = os.read(self._process.stdout.fileno(), min(_CHUNK, size - len(data)))
                if not piece:
                    raise EOFError
                data += piece
        return bytes(data)

    def _cause_of_death(self) -> str:
        self._process.wait()
        code = self._process.returncode
        if code == -signal.SIGPROF:
            return f"took more than {self._limits.seconds:g} s of processor time"
        if code == OUT_OF_MEMORY:
            return f"needs more than {self._limits.memory_bytes >> 20} MiB"
        died_by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its parser died ({died_by})"
