"""Ends a worker process that is told twice to end."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware

# The death of a parent with many threads is told once for each of them: that is one request.
_SAME_REQUEST_S: Final = 1.0


class Termination(Middleware):
    """Makes the second signal end the process at once, as Dramatiq means it to.

    Dramatiq leaves by ``sys.exit``, which waits for threads: for the event loop's, which nobody
    stops any more, and for those that wait for the sandbox, whose children end with this process.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Put a handler before Dramatiq's."""
        del broker, worker
        for number in (signal.SIGTERM, signal.SIGHUP):
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, _ending_at_once(handler))


def _ending_at_once(
    first: Callable[[int, FrameType | None], Any],
) -> Callable[[int, FrameType | None], None]:
    asked_at: float | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            first(number, frame)
        elif time.monotonic() - asked_at > _SAME_REQUEST_S:
            os._exit(1)

    return handle
