"""Redis behind a Sentinel: the master dies, another takes its place, and tasks go on."""

import asyncio
import re
import socket
import uuid
from pathlib import Path

import pytest
from redis import RedisError

from lexiclass_core.addresses.redis_clients import open_async_redis, open_redis
from lexiclass_core.client import TaskClient
from tests.support.house import House
from tests.support.sentinel import watched_redis
from tests.support.workers import wait_until


@pytest.mark.slow
def test_a_client_follows_the_master(tmp_path: Path) -> None:
    async def write_asynchronously(url: str, key: str) -> None:
        client = open_async_redis(url)
        await client.set(key, 1)
        await client.aclose()

    with watched_redis(tmp_path) as watched:
        with open_redis(watched.url) as client:
            client.set("before", 1)
            asyncio.run(write_asynchronously(watched.url, "before too"))

            watched.kill_master()

            # Its connection is dead, the next one leads to the new master.
            try:
                client.set("after", 1)
            except RedisError:
                client.set("after", 1)
        asyncio.run(write_asynchronously(watched.url, "after too"))
        with watched.master() as master:
            assert set(master.keys()) == {b"before", b"before too", b"after", b"after too"}


@pytest.mark.slow
def test_a_sentinel_that_does_not_answer_is_waited_for_once(tmp_path: Path) -> None:
    """Not by each new client: checks and commands make one each time."""

    async def write_asynchronously(url: str) -> None:
        client = open_async_redis(url)
        await client.set("asynchronously", 1)
        await client.aclose()

    with (
        watched_redis(tmp_path) as watched,
        # The system takes connections, and nobody reads them.
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        port = silent.getsockname()[1]
        url = re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{port}", watched.url, count=1)
        with open_redis(url) as client:
            client.set("first", 1)
        silent.setblocking(False)
        silent.accept()[0].close()
        with open_redis(url) as client:
            client.set("second", 1)
        asyncio.run(write_asynchronously(url))
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.slow
def test_tasks_go_on_when_the_master_of_redis_dies(own_house: House, tmp_path: Path) -> None:
    house = own_house
    project = house.project()
    with watched_redis(tmp_path / "redis") as watched:
        settings = {
            "DRAMATIQ__BROKER_URL": watched.url,
            "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000",
            "RECONCILER__INTERVAL_S": "1",
        }
        with (
            house.worker(settings) as group,
            TaskClient(
                database_uri=house.environment["DATABASE_URI"],
                broker_url=watched.url,
                namespace=house.environment["DRAMATIQ__NAMESPACE"],
            ) as client,
        ):
            client.wait(client.index(project.project_id).id, timeout_s=60)
            training = client.train(project.project_id, project.field_id)
            waiting = [client.index(project.project_id, delay_s=delay_s) for delay_s in (3, 5)]

            watched.kill_master()

            waiting.append(client.index(project.project_id))
            with watched.master() as master:
                # Told through the new one, however the old one ended.
                for task in (training, *waiting):
                    assert client.wait(task.id, timeout_s=100).status == "succeeded"
                again = client.train(
                    project.project_id, project.field_id, idempotency_key=uuid.uuid4().hex
                )
                events = list(client.watch(again.id, timeout_s=60))
                assert events[-1].status == "succeeded"
                names = f"{house.environment['DRAMATIQ__NAMESPACE']}-results:*"
                # A row is closed before its result is kept.
                wait_until(lambda: list(master.scan_iter(names)))
        log = Path(group.log).read_text()
    assert not any(password in log for password in watched.passwords)
