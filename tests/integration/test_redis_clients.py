"""Clients of a Redis that changes: what they do when the master has become a replica."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from lexiclass_core.addresses.redis_clients import open_async_redis, open_redis
from lexiclass_core.client.messages import Sender
from lexiclass_worker.embedded.binaries import find_redis
from lexiclass_worker.embedded.process import free_port
from tests.support.sentinel import serving


@pytest.fixture
def demotion(broker_url: str) -> Iterator[object]:
    """Makes Redis a replica of nobody who is there, until the test is over."""
    with open_redis(broker_url) as admin:
        yield lambda: admin.replicaof("127.0.0.1", 1)
        admin.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.set("key", 1),
        lambda client: client.eval("return redis.call('set', KEYS[1], 1)", 1, "key"),
        lambda client: client.pipeline().set("key", 1).set("another", 2).execute(),
    ],
    ids=["a command", "a script", "a pipeline"],
)
def test_the_connection_to_a_demoted_master_is_left(
    broker_url: str, demotion: Callable[[], object], write: Callable[[Redis], object]
) -> None:
    with open_redis(broker_url) as client:
        write(client)
        before = client.client_id()
        demotion()

        with pytest.raises(ReadOnlyError, match="You can't write against a read only replica"):
            write(client)

        assert client.client_id() != before


async def test_so_is_that_of_an_asynchronous_client(
    broker_url: str, demotion: Callable[[], object]
) -> None:
    client = open_async_redis(broker_url)
    before = await client.client_id()
    demotion()

    with pytest.raises(ReadOnlyError, match="You can't write against a read only replica"):
        await client.set("key", 1)

    assert await client.client_id() != before
    await client.aclose()


def test_an_error_of_another_kind_leaves_the_connection(broker_url: str) -> None:
    with open_redis(broker_url) as client:
        before = client.client_id()
        with pytest.raises(ResponseError):
            client.execute_command("NO SUCH COMMAND")
        assert client.client_id() == before


def test_a_script_is_refused_in_the_words_of_the_server(broker_url: str) -> None:
    with open_redis(broker_url) as client:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(OutOfMemoryError, match=r"^command not allowed when used memory"):
                client.eval("return redis.call('set', KEYS[1], 1)", 1, "key")
        finally:
            client.config_set("maxmemory", 0)


async def test_a_redis_behind_a_socket_is_reached(tmp_path: Path) -> None:
    socket, port = Path(mkdtemp(dir="/tmp")) / "redis.sock", free_port()
    server = str(find_redis().server)
    command = [server, "--port", str(port), "--unixsocket", str(socket), "--save", ""]
    with serving([*command, "--requirepass", "p@ss"], port, tmp_path / "log"):
        url = f"unix://:p%40ss@{socket}?db=2"
        with open_redis(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.set("key", 1)
        Sender(url, "dramatiq").close()
        asynchronous = open_async_redis(url, socket_connect_timeout=5, socket_timeout=None)
        assert await asynchronous.get("key") == b"1"
        await asynchronous.aclose()
    rmtree(socket.parent)
