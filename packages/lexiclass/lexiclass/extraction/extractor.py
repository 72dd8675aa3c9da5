"""Reads documents in a process of its own: what a foreign file does to its parser ends there.

The process gets the bytes of a document and gives text. It is bounded in memory and, for each
document, in time; one that dies or goes beyond is replaced, and the document refused.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction.content import ExtractedText
from lexiclass.extraction.formats import DocumentFormat

# The parent's path instead of an environment, which may hold passwords; and the package without
# what its own module imports, a second of loading that no parser needs.
_START: Final = (
    "import json, sys, types; path, folder, memory = json.loads(sys.argv[1]); sys.path[:] = path; "
    "package = sys.modules['lexiclass'] = types.ModuleType('lexiclass'); "
    "package.__path__ = [folder]; "
    "from lexiclass.extraction.child import serve; serve(memory)"
)
_PACKAGE: Final = str(Path(__file__).parents[1])
# A document's text, as JSON with every character escaped, and what is said of it.
_JSON_GROWTH: Final = 6
_METADATA_BYTES: Final = 2**20
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionLimits:
    """What reading one document may take.

    Attributes:
        seconds: Of processor time; four times as many by the clock.
        memory_bytes: Beside what the process takes by itself. Kept on Linux only.
        text_bytes: Longest text.
    """

    seconds: float = 30.0
    memory_bytes: int = 2**30
    text_bytes: int = 64 * 2**20


_DEFAULT_LIMITS: Final = ExtractionLimits()
_CLOCK_FACTOR: Final = 4


class Extractor:
    """Reads documents one at a time; its process starts with the first.

    A context manager: the process ends with it. Not for several threads at the same time.

    Args:
        limits: What one document may take.
    """

    def __init__(self, limits: ExtractionLimits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def extract(self, data: bytes, found: DocumentFormat) -> ExtractedText:
        """Return the text of a document.

        Args:
            data: The content of its file.
            found: Its format.

        Raises:
            DocumentUnreadable: If the format is none of a document, its library is not installed,
                or this document can't be read within the limits. The reason names the format and
                what to do, and is the same for all documents it holds for.
        """
        if found.refusal:
            raise DocumentUnreadable(found.refusal)
        answer = self._ask(data, found)
        if "text" not in answer:
            raise DocumentUnreadable(f"{found.name}: {answer['refused']}")
        text = str(answer["text"])
        if not text.strip():
            raise DocumentUnreadable(f"{found.name}: has no text")
        if len(text.encode("utf-8", "replace")) > self._limits.text_bytes:
            raise DocumentUnreadable(f"{found.name}: its text is too large")
        return ExtractedText(text, answer["metadata"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _ask(self, data: bytes, found: DocumentFormat) -> dict[str, Any]:
        request = {
            "function": found.extractor, "size": len(data), "seconds": self._limits.seconds,
        }  # fmt: skip
        process = self._started()
        try:
            _send(process, json.dumps(request).encode() + b"\n", data)
            answer = _receive(process, self._deadline(), self._longest_answer)
        except TimeoutError:
            self.close()
            return _refused(f"took longer than {self._clock_s:g} s", found)
        except _TooLong:
            self.close()
            return {"refused": "its text is too large"}
        except (EOFError, BrokenPipeError):
            return self._died(process, found)
        except BaseException:
            # Half an answer may be on the way.
            self.close()
            raise
        if answer.get("last"):
            self.close()
        if "lost" in answer:
            return _refused(f"needs more than {self._limits.memory_bytes >> 20} MiB", found)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            arguments = json.dumps([sys.path, _PACKAGE, self._limits.memory_bytes])
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                bufsize=0,
            )
        return self._process

    def _died(self, process: subprocess.Popen[bytes], found: DocumentFormat) -> dict[str, Any]:
        process.wait()
        code = process.returncode
        self.close()
        if code == -signal.SIGPROF:
            took = f"took more than {self._limits.seconds:g} s of processor time"
            return _refused(took, found)
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _refused(f"its parser died ({cause})", found)

    @property
    def _clock_s(self) -> float:
        return _CLOCK_FACTOR * self._limits.seconds

    @property
    def _longest_answer(self) -> int:
        return _JSON_GROWTH * self._limits.text_bytes + _METADATA_BYTES

    def _deadline(self) -> float:
        return time.monotonic() + self._clock_s


class _TooLong(Exception):
    """An answer goes beyond its bound."""


def _refused(why: str, found: DocumentFormat) -> dict[str, Any]:
    return {"refused": f"{why}; {found.way_out}"}


def _send(process: subprocess.Popen[bytes], *pieces: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[process.stdin.write(view) :]


def _receive(process: subprocess.Popen[bytes], deadline: float, longest: int) -> dict[str, Any]:
    size = int.from_bytes(_read(process, 8, deadline))
    if size > longest:
        raise _TooLong
    answer: dict[str, Any] = json.loads(_read(process, size, deadline))
    return answer


def _read(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(data) < size:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), min(_CHUNK, size - len(data)))
            if not piece:
                raise EOFError
            data += piece
    return bytes(data)
