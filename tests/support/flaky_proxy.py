"""A network that delays, stalls and cuts connections at random, before a server of this machine."""

import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

# A piece of a connection's bytes waits so long at most, in seconds. Connections do not wait for
# each other: what was sent first may come last.
_LONGEST_DELAY_S: Final = 0.02
_LONGEST_STALL_S: Final = 3.0
_PIECE: Final = 2**14


class FlakyProxy:
    """Forwards connections to a port until it is closed.

    Args:
        port: Of the server.
        seed: Of what goes wrong.
        stalls: Share of pieces, about a message each, that wait for seconds.
        cuts: Share of pieces after which the connection is cut without a word.

    Attributes:
        is_flaky: False for a network without faults.
        done: What has gone wrong, how often.
    """

    def __init__(self, port: int, seed: str, *, stalls: float, cuts: float) -> None:
        self.done: Counter[str] = Counter()
        self.is_flaky = True
        self._target = port
        self._choices = random.Random(seed)
        self._stalls, self._cuts = stalls, cuts
        self._sockets: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def close(self) -> None:
        """Cut everything."""
        for each in (self._listener, *tuple(self._sockets)):
            _cut(each)
        # A thread may have begun meanwhile, of a connection that is cut at once.
        while self._threads:
            self._threads.pop().join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        thread = Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with far:
                both = {near, far}
                self._sockets |= both
                back = Thread(target=self._forward, args=(far, near), daemon=True)
                back.start()
                self._forward(near, far)
                back.join()
                self._sockets -= both

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while (piece := source.recv(_PIECE)) and self._is_let_through():
                target.sendall(piece)
        for each in (source, target):
            _cut(each)

    def _is_let_through(self) -> bool:
        chance = self._choices.random() if self.is_flaky else 1.0
        if chance < self._cuts:
            self.done["connections cut"] += 1
            return False
        if chance < self._cuts + self._stalls:
            self.done["connections stalled"] += 1
            time.sleep(self._choices.uniform(0, _LONGEST_STALL_S))
        elif self.is_flaky:
            time.sleep(self._choices.uniform(0, _LONGEST_DELAY_S))
        return True


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def flaky_proxy(port: int, seed: str, *, stalls: float, cuts: float) -> Iterator[FlakyProxy]:
    """A proxy for the time of a ``with`` block."""
    proxy = FlakyProxy(port, seed, stalls=stalls, cuts=cuts)
    try:
        yield proxy
    finally:
        proxy.close()
