"""The side of the extracting process: reads what it is sent and writes what it found.

The files of Python and its libraries are all that it can open, and nothing that it can write; it
reaches no network and starts nothing. The kernel sees to that as far as it can, see
:mod:`lexiclass.containment`; an audit hook, which native code gets around, does where it can't.
What is left of the bounds when a document is done is no use to the next: each has its own time, and
a process that has grown ends after its answer.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

from lexiclass.containment import Reach, contain
from lexiclass.errors import DocumentUnreadable

# What a parser has no business with; see Python's table of audit events.
_FORBIDDEN: Final = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
)  # fmt: skip
#: The exit status of a process that may take no more memory.
OUT_OF_MEMORY: Final = 75
# The share of the memory a process may have grown by and still take another document.
_GROWN: Final = 0.25


def serve(memory_bytes: int) -> None:
    """Answer what comes on standard input until it is closed.

    Args:
        memory_bytes: What a parser may take, beside what this process has taken by itself.
    """
    # What a parser prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C is for the parent, which ends this process by closing its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    contain(Reach())
    at_start = _address_space()
    if at_start:
        _bound_memory(at_start + memory_bytes)
    sys.addaudithook(_forbid)
    try:
        while line := sys.stdin.buffer.readline():
            request = json.loads(line)
            data = sys.stdin.buffer.read(request["size"])
            for answer in _answers(request, data):
                signal.setitimer(signal.ITIMER_PROF, 0)
                grown = _address_space() - at_start > memory_bytes * _GROWN
                last = "more" not in answer and grown
                _write(answers, {**answer, "last": last})
                if last:
                    return
                _start_time(request)
    except MemoryError:
        # Too little is left to say so otherwise.
        os._exit(OUT_OF_MEMORY)


def _answers(request: dict[str, Any], data: bytes) -> Iterator[dict[str, Any]]:
    _start_time(request)
    try:
        function = _load(request["function"])
        if request["file"] is None:
            found = function(data, **request["arguments"])
            yield {
                "text": found.text,
                "metadata": found.metadata,
                "has_replaced": found.has_replaced,
            }
        else:
            with os.fdopen(request["file"], "rb") as file:
                for rows in function(file, **request["arguments"]):
                    yield {"more": True, "rows": rows}
            yield {"rows": []}
    except DocumentUnreadable as error:
        yield {"refused": error.reason}
    except MemoryError:
        raise
    except RecursionError:
        yield {"refused": "nested too deeply"}
    except Exception as error:  # noqa: BLE001 - the boundary: a parser fails as it likes
        yield {"refused": f"damaged ({type(error).__name__})"}


def _start_time(request: dict[str, Any]) -> None:
    # Processor time: a busy machine makes no document unreadable. Its signal ends the process.
    signal.setitimer(signal.ITIMER_PROF, request["seconds"])


def _load(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    loaded: Callable[..., Any] = getattr(import_module(module), name)
    return loaded


def _write(answers: BinaryIO, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode()
    answers.write(len(data).to_bytes(8) + data)
    answers.flush()


def _address_space() -> int:
    """Return what this process has mapped, in bytes; 0 where that can't be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _bound_memory(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _forbid(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a parser tried {event}")
