"""Several hosts of one database, one of which takes connections and says nothing."""

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from lexiclass_core.db import create_engine


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Where a machine hangs: the system takes connections, and nobody reads them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def asked(silent: socket.socket) -> int:
    """How many connections have been made to it since the last look."""
    count = 0
    while True:
        try:
            connection, _ = silent.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1


def behind(silent: socket.socket, database_uri: str, wish: str) -> str:
    """The URI of a database whose first host hangs."""
    url = make_url(database_uri)
    host = url.host or str(url.query["host"])
    ports = f"{silent.getsockname()[1]},{url.port or 5432}"
    return url.set(
        host=None,
        port=None,
        query={"host": f"127.0.0.1,{host}", "port": ports, "target_session_attrs": wish},
    ).render_as_string(hide_password=False)


async def connect(uri: str) -> None:
    engine = create_engine(uri, connect_timeout_s=8)
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
    finally:
        await engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("wish", ["any", "primary", "prefer-standby"])
async def test_a_host_that_does_not_answer_leaves_the_next_its_time(
    database_uri: str, silent: socket.socket, wish: str
) -> None:
    await connect(behind(silent, database_uri, wish))
    assert asked(silent) > 0


@pytest.mark.slow
async def test_who_can_be_written_to_is_asked_first_the_next_time(
    database_uri: str, silent: socket.socket
) -> None:
    uri = behind(silent, database_uri, "read-write")
    await connect(uri)
    assert asked(silent) > 0
    await connect(uri)
    assert asked(silent) == 0
