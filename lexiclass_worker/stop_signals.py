"""The signals that mean "stop", and steps that none of them may tear apart."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a command to end: Ctrl-C, a supervisor, a terminal that is closed."""


@contextmanager
def stop_signals_put_off() -> Iterator[None]:
    """Handle stop signals at the end of a ``with`` block, not inside it.

    Blocking them in this thread would not do: the kernel gives them to any thread of the process
    that does not block them, and Python then runs their handlers in the main thread all the same.

    Raises:
        ValueError: Outside the main thread, where no handler ever runs.
    """
    put_off: list[int] = []

    def put_off_signal(number: int, _frame: FrameType | None) -> None:
        put_off.append(number)

    previous = {number: signal.signal(number, put_off_signal) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for late in put_off:
            signal.raise_signal(late)
