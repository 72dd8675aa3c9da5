"""An HTTP server that nobody can keep busy: so many connections, so many bytes, so much time each.

Whoever reaches the port may open thousands of connections and say nothing on them, or a byte every
few seconds. One more than there is room for takes the place of that which has been sending its
request for longest. So a client that sends what it wants at once, as probes and Prometheus do, is
answered all the same.
"""

import socket
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from threading import BoundedSemaphore, Lock
from typing import Any, Final, cast

from loguru import logger

MOST_CONNECTIONS: Final = 32
"""Connections at a time, and threads."""

REQUEST_S: Final = 10.0
"""Seconds that a client may take for its request."""

_ANSWER_S: Final = 60.0
_REQUEST_BYTES: Final = 16_384


@dataclass(eq=False, slots=True)
class _Connection:
    """A client, since when it is here or since when its request is, and whether it is given up."""

    socket: socket.socket
    since: float
    is_asked: bool = False
    is_ended: bool = False

    @property
    def is_overdue(self) -> bool:
        return time.monotonic() - self.since > (_ANSWER_S if self.is_asked else REQUEST_S)

    def end(self) -> None:
        """Have the thread that reads or writes find the end of the connection."""
        self.is_ended = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            logger.debug("a connection had ended: {}", error)


class BoundedServer(ThreadingHTTPServer):
    """Answers each connection in a thread of its own, of which there are so many at most."""

    daemon_threads = True
    # Connections that the system keeps while others are accepted.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type["BoundedHandler"]) -> None:
        self._connections: dict[socket.socket, _Connection] = {}
        self._lock = Lock()
        self._room = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; without room for it, another client or this one is let go."""
        if not self._room.acquire(blocking=False):
            self._end_longest_asking()
            if not self._room.acquire(timeout=1.0):
                self.shutdown_request(request)
                return
        with self._lock:
            self._connections[request] = _Connection(request, time.monotonic())
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._forget(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See the base class."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def service_actions(self) -> None:
        """Let go of clients whose time is over; called several times a second."""
        with self._lock:
            for connection in self._connections.values():
                if connection.is_overdue and not connection.is_ended:
                    connection.end()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what went wrong with a request; the base class would print it."""
        del request
        logger.opt(exception=True).warning("request of {} failed", client_address)

    def note_request(self, request: socket.socket) -> None:
        """Say that a client has said what it wants."""
        with self._lock:
            connection = self._connections[request]
            connection.is_asked, connection.since = True, time.monotonic()

    def _end_longest_asking(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                if not connection.is_asked and not connection.is_ended:
                    connection.end()
                    return

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            del self._connections[request]
        self._room.release()


class BoundedHandler(BaseHTTPRequestHandler):
    """One request, and a connection for each."""

    timeout = REQUEST_S

    def setup(self) -> None:
        """See the base class."""
        super().setup()
        self.rfile = cast("Any", _BoundedReader(self.rfile))

    def handle_one_request(self) -> None:
        """Answer a request, if it is one and the client waits for the answer."""
        try:
            super().handle_one_request()
        except LineTooLong:
            self.requestline, self.request_version, self.command = "", "HTTP/1.0", ""
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except OSError as error:
            logger.debug("{} has gone: {}", self.address_string(), error)
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request, without repeating any of it."""
        del message, explain
        super().send_error(code, HTTPStatus(code).phrase, HTTPStatus(code).description)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """One line a request, for debugging: probes come every few seconds."""
        logger.debug("{} {}", self.address_string(), format % args)


class _BoundedReader:
    """The bytes of one request, which are so many at most."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = _REQUEST_BYTES

    def readline(self, size: int = -1) -> bytes:
        """See :meth:`io.IOBase.readline`.

        Raises:
            LineTooLong: If the request is too long.
        """
        del size
        line = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request")
        return line

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def close(self) -> None:
        self._stream.close()
