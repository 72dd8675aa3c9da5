"""Examples without end, each looked at in a process of its own."""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.support import variants
from tests.support.forks import outcome

# What failed once is tried first the next time; what is mended belongs into the tests.
_DATABASE: Final = Path(__file__).parents[2] / ".fuzz"
_FEW: Final = 15
_MANY: Final = 50


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
        limits = settings(
            max_examples=variants.examples(_FEW), database=None, derandomize=True, **common
        )
        limits(given(examples)(examine))()
        return
    limits = settings(
        max_examples=_MANY, database=DirectoryBasedExampleDatabase(_DATABASE), **common
    )
    # Other examples than in the round before.
    seed(random.getrandbits(64))(limits(given(examples)(examine)))()


def in_child(examine: Callable[[], object]) -> None:
    """Run something in a fork of bounded time and memory.

    Raises:
        AssertionError: If it raised, crashed, hung, or took too much; with what it said.
    """
    came_to = outcome(examine)
    assert came_to.startswith("came to"), came_to
