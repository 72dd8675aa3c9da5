"""An event loop in a thread of its own, for code without one."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent import futures
from typing import Any, Final, TypeVar
from weakref import WeakSet

from lexiclass_core.client.errors import ClientClosed

T = TypeVar("T")

LONGEST_DEAF_S: Final = 0.5
"""How long a thread waits at once.

A signal that comes just before a thread begins to wait does not wake it, nor does one that the
kernel gives another thread: Python runs its handler once the wait is over.
"""


_RETURN_S: Final = 1.0
"""How long what was cancelled may take to give its connections back."""


class OwnLoop:
    """Runs what any thread asks for, until it is closed. A process that was forked gets a new one.

    Args:
        name: Of its thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_closed = False
        self._of_parents: list[Any] = []
        self.renew_lock()
        self._open()
        _all.add(self)

    def renew_lock(self) -> None:
        """Forget who had it: a thread that a process which was forked does not have."""
        self._lock = threading.Lock()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> futures.Future[T]:
        """Begin to run a coroutine.

        Raises:
            ClientClosed: Once it is being closed.
        """
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise ClientClosed
            return self._schedule(coroutine)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; see :meth:`begin`."""
        return _wait_for(self.begin(coroutine))

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run a last coroutine, cancel what is left then and end the thread; once."""
        with self._lock:
            if self._is_closed:
                last.close()
                return
            self._is_closed = True
            ending = self._schedule(self._end(last))
        try:
            _wait_for(ending)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            # There are some where the wait for the end was interrupted.
            for left in list(self._begun):
                left.cancel()

    async def end_others(self) -> None:
        """Cancel whatever else was begun, and wait for its end; from within the loop."""
        begun = list(self._begun.values())
        others = _others()
        # Only these at first: they have tasks of SQLAlchemy that give their connections back, and
        # one that is cancelled leaves its connection to the garbage collector.
        for other in others:
            if other.get_coro() in begun:
                other.cancel()
        if others:
            await asyncio.wait(others, timeout=_RETURN_S)
        while others := _others():
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        try:
            await last
        finally:
            await self.end_others()

    def _open(self) -> None:
        self._begun: dict[futures.Future[Any], Coroutine[Any, Any, Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_turn, args=(self._loop,), name=self._name, daemon=True
        )
        self._thread.start()
        self._pid = os.getpid()

    def _schedule(self, coroutine: Coroutine[Any, Any, T]) -> futures.Future[T]:
        if os.getpid() != self._pid:
            # The thread is the parent's, and so is what waits in its loop, which is kept.
            self._of_parents += [self._loop, self._begun]
            self._open()
        begun = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._begun[begun] = coroutine
        begun.add_done_callback(self._begun.pop)
        return begun


def _others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        # A connection that was closed last is given back in the turn after.
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _wait_for(future: futures.Future[T]) -> T:
    try:
        while not future.done():
            futures.wait([future], timeout=LONGEST_DEAF_S)
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise


_all: Final[WeakSet[OwnLoop]] = WeakSet()


def _renew_locks() -> None:
    for each in _all:
        each.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
