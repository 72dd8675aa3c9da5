"""Work spread over forked processes, for code that holds the interpreter's lock.

Forked, so that what the work reads (a matrix, a source of documents) is shared and not copied.
Fork and threads don't go together: give more than one process only where no other thread of this
process may hold a lock at that moment. That is why one is the default everywhere.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Results that wait for an earlier one, and items that wait for a process: two for each process.
_AHEAD = 2


# How often whoever waits for a result is told that it still waits.
_TOLD_EVERY_S: Final = 0.2


class SharedCounts:
    """Numbers that forked processes count up, and that this one reads meanwhile.

    Each is written by one process, so they need no lock, nor a file in /dev/shm.

    Args:
        number: How many there are.
        changed: Called with their sum when this process itself counts.
    """

    def __init__(self, number: int, changed: Callable[[int], None]) -> None:
        self._counts = np.frombuffer(mmap.mmap(-1, 8 * max(1, number)), dtype=np.int64)
        self._changed = changed
        self._owner = os.getpid()

    def set(self, place: int, count: int) -> None:
        """Note how far one of them is."""
        self._counts[place] = count
        if os.getpid() == self._owner:
            self._changed(self.total)

    @property
    def total(self) -> int:
        """Their sum, now."""
        return int(self._counts.sum())


def available_processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def forked_map(
    function: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    num_processes: int,
    while_waiting: Callable[[], None] | None = None,
) -> Iterator[ResultT]:
    """Apply a function to items in other processes; results come in the order of the items.

    Args:
        function: Reaches the processes by the fork, so it may be a closure over large data.
        items: Taken only as processes need them; they and the results are copied.
        num_processes: With 1, where processes can't be forked safely, and where there is no room
            for what they need to share, all happens here.
        while_waiting: Called a few times a second while other processes work.
    """
    if num_processes <= 1 or sys.platform != "linux":
        yield from map(function, items)
        return
    try:
        opened = ProcessPoolExecutor(
            num_processes,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_take_function,
            initargs=(function, os.getpid()),
        )
    except (OSError, ImportError) as error:
        # Its semaphores: Linux keeps them in /dev/shm, which is small in a container.
        warnings.warn(
            f"no other processes take part, for their semaphores cannot be made ({error}): on "
            "Linux /dev/shm is full, missing or read-only",
            stacklevel=2,
        )
        yield from map(function, items)
        return
    pending: deque[Future[ResultT]] = deque()
    stream = iter(items)
    with opened as pool:
        try:
            while True:
                for item in islice(stream, num_processes * _AHEAD - len(pending)):
                    pending.append(_submit(pool, item))
                if not pending:
                    return
                yield _await(pending.popleft(), while_waiting)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _await(future: Future[ResultT], while_waiting: Callable[[], None] | None) -> ResultT:
    while while_waiting is not None and not futures.wait([future], _TOLD_EVERY_S).done:
        while_waiting()
    return future.result()


# Set in a forked process only, for the one map it serves.
_function: Callable[[Any], Any] | None = None


def _submit(pool: ProcessPoolExecutor, item: Any) -> Future[Any]:
    with warnings.catch_warnings():
        # Newer versions of Python warn of what the module's first paragraph says.
        warnings.simplefilter("ignore", DeprecationWarning)
        return pool.submit(_apply, item)


def _take_function(function: Callable[[Any], Any], parent: int) -> None:
    global _function  # noqa: PLW0603 - a closure has no other way into the pool's process
    _function = function
    # A process whose parent is killed would wait for work for ever.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        os._exit(1)


def _apply(item: Any) -> Any:
    if _function is None:
        raise RuntimeError("this process was not made by forked_map")
    return _function(item)
