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
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import count
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

import numpy as np

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Results that wait for an earlier one, and items that are worked at: two for each process.
_AHEAD = 2

_DIED: Final = "one of the processes that share the work has died"

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


def forked_map(
    function: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    num_processes: int,
    while_waiting: Callable[[], None] | None = None,
) -> Iterator[ResultT]:
    """Apply a function to items in other processes; results come in the order of the items.

    They talk by pipes alone. What the standard library has for this takes semaphores, which are
    files in a folder of all processes of the machine: a contained process has no access to it.

    Args:
        function: Reaches the processes by the fork, so it may be a closure over large data.
        items: Taken only as processes need them; they and the results are copied.
        num_processes: With 1, and where processes can't be forked safely, all happens here.
        while_waiting: Called a few times a second while other processes work.

    Raises:
        BrokenProcessPool: If one of the processes dies.
    """
    if num_processes <= 1 or sys.platform != "linux":
        yield from map(function, items)
        return
    waiting = enumerate(items)
    answers: dict[int, tuple[ResultT, Exception | None]] = {}
    busy: dict[Connection, int] = {}
    with _forked(function, num_processes) as idle:
        for number in count():
            while True:
                # Also before a result is handed over: who takes it may take long.
                while idle and len(busy) + len(answers) < num_processes * _AHEAD:
                    taken = next(waiting, None)
                    if taken is None:
                        break
                    busy[idle[-1]] = taken[0]
                    _send(idle.pop(), taken[1])
                if number in answers:
                    break
                if not busy:
                    return
                for process in _wait_for(busy, while_waiting):
                    answers[busy.pop(process)] = _receive(process)
                    idle.append(process)
            result, error = answers.pop(number)
            if error is not None:
                raise error
            yield result


@contextmanager
def _forked(function: Callable[[Any], Any], number: int) -> Iterator[list[Connection]]:
    """Processes that apply a function to what is sent to them; they end with the block."""
    context = multiprocessing.get_context("fork")
    with ExitStack() as stack:
        processes: list[Connection] = []
        for _ in range(number):
            ours, theirs = context.Pipe()
            stack.callback(ours.close)
            process = context.Process(
                target=_apply_to_all, args=(function, theirs, (ours, *processes), os.getpid())
            )
            with theirs, warnings.catch_warnings():
                # Newer versions of Python warn of what the module's first paragraph says.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            stack.callback(process.join)
            stack.callback(process.kill)
            processes.append(ours)
        yield processes


def _wait_for(
    busy: Iterable[Connection], while_waiting: Callable[[], None] | None
) -> list[Connection]:
    timeout_s = None if while_waiting is None else _TOLD_EVERY_S
    while not (ready := connection.wait([*busy], timeout_s)):
        if while_waiting is not None:
            while_waiting()
    return [each for each in ready if isinstance(each, Connection)]


def _send(process: Connection, item: Any) -> None:
    try:
        process.send(item)
    except BrokenPipeError as error:
        raise BrokenProcessPool(_DIED) from error


def _receive(process: Connection) -> Any:
    try:
        return process.recv()
    except (EOFError, ConnectionResetError) as gone:
        raise BrokenProcessPool(_DIED) from gone


def _apply_to_all(
    function: Callable[[Any], Any],
    channel: Connection,
    of_parent: Iterable[Connection],
    parent: int,
) -> None:
    # A process whose parent is killed would go on.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        os._exit(1)
    # The ends that the parent holds: else no process would see the end of its own channel.
    for each in of_parent:
        each.close()
    while True:
        try:
            item = channel.recv()
        except EOFError:
            return
        try:
            channel.send((function(item), None))
        except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
            error.add_note(f"in a forked process:\n{traceback.format_exc()}")
            channel.send((None, error))
