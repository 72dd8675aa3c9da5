"""A Redis that answers and refuses writes while workers run: a replica, or one that is full."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.client import TaskClient
from tests.support.house import House
from tests.support.workers import wait_until


def demote(redis: Any) -> Callable[[], object]:
    redis.replicaof("127.0.0.1", 1)
    return lambda: redis.replicaof("NO", "ONE")


def fill(redis: Any) -> Callable[[], object]:
    redis.config_set("maxmemory", 1)
    return lambda: redis.config_set("maxmemory", 0)


REFUSALS = [(demote, "read only replica"), (fill, "OOM|used memory")]


@pytest.mark.slow
@pytest.mark.parametrize(("refuse", "words"), REFUSALS, ids=["a replica", "full"])
def test_a_redis_that_refuses_writes_for_a_while_loses_nothing(
    own_house: House, refuse: Callable[[Redis], Callable[[], object]], words: str
) -> None:
    house, project = own_house, own_house.project()
    slow = house.slow_project()
    environment = house.environment
    with (
        open_redis(environment["DRAMATIQ__BROKER_URL"]) as redis,
        house.worker(RECONCILER__INTERVAL_S="1") as group,
        TaskClient(
            database_uri=environment["DATABASE_URI"],
            broker_url=environment["DRAMATIQ__BROKER_URL"],
            namespace=environment["DRAMATIQ__NAMESPACE"],
        ) as client,
    ):
        running = client.train(slow.project_id, slow.field_id)
        wait_until(lambda: client.status(running.id).status == "started")

        end = refuse(redis)
        try:
            waiting = [client.index(project.project_id) for _ in range(3)]
            log = Path(group.log)
            wait_until(lambda: any(word in log.read_text() for word in words.split("|")))
            during = client.wait(running.id, timeout_s=60)
        finally:
            end()

        done = [client.wait(task.id, timeout_s=60) for task in waiting]
        text = log.read_text()
    assert {task.status for task in (during, *done)} == {"succeeded"}
    assert {(task.attempts, task.crashes) for task in (during, *done)} == {(1, 0)}
    assert "Traceback" not in text
