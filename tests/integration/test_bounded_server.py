"""What a port open to others has to bear: floods, silence, requests that are none."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass_worker.telemetry import bounded_server
from lexiclass_worker.telemetry.bounded_server import (
    MOST_CONNECTIONS,
    BoundedHandler,
    BoundedServer,
)
from tests.support.variants import examples


class Handler(BoundedHandler):
    """Answers at once, or, asked for /slow, when it is told to; counts how many do at a time."""

    told = threading.Event()
    counting = threading.Lock()
    at_work: ClassVar[list[int]] = []

    def setup(self) -> None:
        with self.counting:
            self.at_work.append(1 + (self.at_work[-1] if self.at_work else 0))
        super().setup()

    def finish(self) -> None:
        super().finish()
        with self.counting:
            self.at_work.append(self.at_work[-1] - 1)

    def do_GET(self) -> None:  # noqa: N802 - as the base class calls it
        assert isinstance(self.server, BoundedServer)
        self.server.note_request(self.connection)
        if self.path == "/slow":
            self.told.wait(30)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture
def server() -> Iterator[BoundedServer]:
    Handler.told.clear()
    Handler.at_work.clear()
    with BoundedServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        Handler.told.set()
        server.shutdown()
        thread.join()


def connect(server: BoundedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=30)


def answer(server: BoundedServer, path: str = "/") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_hundreds_of_clients_that_say_nothing_keep_nobody_from_an_answer(
    server: BoundedServer,
) -> None:
    with ExitStack() as silent:
        for number in range(10 * MOST_CONNECTIONS):
            client = silent.enter_context(connect(server))
            with suppress(OSError):  # it may have been let go already
                client.send(b"GET / HTTP/1.1\r\nX-Slow: ")
            if number % MOST_CONNECTIONS == 0:
                assert answer(server) == HTTPStatus.OK
        assert answer(server) == HTTPStatus.OK
    assert max(Handler.at_work) == MOST_CONNECTIONS


@pytest.mark.slow
def test_clients_that_are_being_answered_are_not_let_go_for_others(server: BoundedServer) -> None:
    with ExitStack() as stack:
        asking = [stack.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS)]
        for client in asking:
            client.send(b"GET /slow HTTP/1.0\r\n\r\n")
        while sum(each.is_asked for each in server._connections.values()) < MOST_CONNECTIONS:
            time.sleep(0.01)
        refused = stack.enter_context(connect(server))
        assert refused.recv(1) == b""  # at once closed again

        Handler.told.set()

        for client in asking:
            assert client.recv(100).startswith(b"HTTP/1.0 200")
    assert answer(server) == HTTPStatus.OK


def test_a_request_that_comes_byte_by_byte_ends(
    server: BoundedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_server, "REQUEST_S", 0.3)
    with connect(server) as client:
        try:
            # Each byte comes long before its reader would give up waiting for one.
            for _ in range(600):
                client.send(b"G")
                time.sleep(0.05)
        except ConnectionError:
            is_ended = True
        else:
            is_ended = False
    assert is_ended
    assert answer(server) == HTTPStatus.OK


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 50_000 + b"\r\n",
        b"x" * 100_000,
    ],
    ids=["a long path", "a long header", "many headers", "no line"],
)
def test_what_is_too_long_is_refused(server: BoundedServer, request_bytes: bytes) -> None:
    with connect(server) as client:
        with suppress(OSError):  # it may be refused before it is all sent
            client.sendall(request_bytes)
        with suppress(ConnectionResetError):
            assert client.recv(100).split()[1] == b"431"
    assert answer(server) == HTTPStatus.OK


@settings(
    max_examples=examples(200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.binary(max_size=2_000),
        st.builds(
            b"%b %b %b\r\n%b\r\n\r\n".__mod__,
            st.tuples(
                st.sampled_from([b"GET", b"HEAD", b"POST", b"get", b"\x00"]),
                st.binary(max_size=50),
                st.sampled_from([b"HTTP/1.1", b"HTTP/9999.1", b"HTTP/1", b"", b"HTTP/-1.1"]),
                st.binary(max_size=200),
            ),
        ),
    )
)
def test_no_bytes_end_the_server_or_come_back(server: BoundedServer, request_bytes: bytes) -> None:
    marked = request_bytes + b"notofuse"
    with connect(server) as client:
        client.sendall(marked)
        client.shutdown(socket.SHUT_WR)
        answered = b""
        with suppress(ConnectionResetError):
            while part := client.recv(10_000):
                answered += part
    assert b"notofuse" not in answered
    assert answer(server) == HTTPStatus.OK
