"""Examples without end, each looked at in a process of its own."""

import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

# What failed once is tried first the next time; what is mended belongs into the tests.
_DATABASE: Final = Path(__file__).parents[2] / ".fuzz"
_FEW: Final = 15
_MANY: Final = 50

# More than any example needs on a machine that is busy, and less than one that hangs.
_LONGEST_S: Final = 60
_MEMORY_BYTES: Final = 3 * 2**30


class _Example:
    """Shown in part: files have many bytes. Whoever needs all of it runs it again; it is kept."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)[:2_000]


def fuzz(
    examine: Callable[[Any], object], examples: st.SearchStrategy[Any], *, seconds: float
) -> None:
    """Try examples.

    Args:
        examine: Raises on what must not be.
        examples: What it is given.
        seconds: For how long; 0 for a few examples, the same each time.
    """
    tried = 0

    def counted(example: _Example) -> None:
        nonlocal tried
        tried += 1
        examine(example.value)

    began = time.monotonic()
    while True:
        _round(counted, examples.map(_Example), is_short=not seconds)
        if time.monotonic() - began >= seconds:
            break
    sys.stderr.write(f"{tried} examples in {time.monotonic() - began:.0f} s\n")


def _round(
    examine: Callable[[Any], None], examples: st.SearchStrategy[Any], *, is_short: bool
) -> None:
    common: dict[str, Any] = {
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
        "phases": [Phase.reuse, Phase.generate, Phase.shrink],
    }
    if is_short:
        limits = settings(max_examples=_FEW, database=None, derandomize=True, **common)
        limits(given(examples)(examine))()
        return
    limits = settings(
        max_examples=_MANY, database=DirectoryBasedExampleDatabase(_DATABASE), **common
    )
    # Other examples than in the round before.
    seed(random.getrandbits(64))(limits(given(examples)(examine)))()


def in_child(examine: Callable[[], object]) -> None:
    """Run something in a fork, which may take so long and so much memory.

    Raises:
        AssertionError: If it raised, crashed, hung, or took too much; with what it said.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status = 1
        try:
            _limit()
            examine()
            status = 0
        except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
            os.write(writer, traceback.format_exc()[-8_000:].encode(errors="replace"))
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        text = said.read().decode(errors="replace")
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise AssertionError(f"ended by {signal.Signals(os.WTERMSIG(status)).name}: {text}")
    assert os.WEXITSTATUS(status) == 0, text


def _limit() -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ends the process, also inside a C call.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_S)
