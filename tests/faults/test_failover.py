"""A primary that is demoted while tasks run, and whose place another server takes."""

import asyncio
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lexiclass_worker.embedded import EmbeddedRedis
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.database import Database
from tests.support.databases import migrate
from tests.support.failover import Pair, running_pair
from tests.support.house import House, open_house
from tests.support.workers import wait_until

OPEN = "SELECT count(*) FROM task WHERE status <> 'succeeded'"
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lexiclass-worker'"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="lexiclass-pair-") as name:
        Path(name).chmod(0o755)
        with running_pair(Path(name)) as pair:
            asyncio.run(migrate(pair.primary_uri))
            yield pair


@pytest.fixture
def house(pair: Pair, tmp_path: Path) -> Iterator[House]:
    with (
        EmbeddedRedis(tmp_path / "redis", durable=False) as redis,
        open_house(pair.uri, redis.broker_url, tmp_path, RECONCILER__INTERVAL_S="2") as house,
    ):
        yield house


def down(group: WorkerGroup) -> list[str]:
    """What /readyz says is down."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{group.metrics_port}/readyz", timeout=10
        ) as response:
            assert response.status == 200
            return []
    except urllib.error.HTTPError as error:
        with error:
            found: list[str] = json.load(error)["down"]
            return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tasks_outlive_a_failover_and_no_connection_to_the_old_primary_is_kept(
    pair: Pair, house: House
) -> None:
    trained = house.project()
    slow = house.slow_project()
    with house.worker(processes=2) as group:
        house.train(trained)

        def send() -> None:
            for _ in range(4):
                house.send_prediction(trained, None)
            house.send("index_documents", project_id=trained.project_id)
            house.send_training(slow)
            house.send_training(trained)

        send()
        house.training_process(slow, group)
        pair.demote()
        send()
        wait_until(lambda: down(group) == ["postgresql"])
        with Database(pair.primary_uri) as primary:
            wait_until(lambda: "25006" in group.log.read_text())
            pair.promote()
            send()
            with Database(pair.standby_uri) as promoted:
                assert wait_until(lambda: promoted.value("SELECT count(*) FROM task") == 22)
                wait_until(lambda: promoted.value(OPEN) == 0, timeout_s=90)
                rows = promoted.rows("SELECT status, crashes, error, attempts FROM task")
            wait_until(lambda: primary.value(CONNECTIONS) == 0, timeout_s=60)
        wait_until(lambda: down(group) == [])
    assert {row["crashes"] for row in rows} == {0}
    assert {row["attempts"] for row in rows} <= {1, 2}
