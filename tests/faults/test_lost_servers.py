"""Redis and PostgreSQL that go away and come back."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from dramatiq.common import current_millis

from lexiclass import verify_model
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.corpora import SmallProject
from tests.support.databases import migrate
from tests.support.house import House, open_house
from tests.support.measuring import Took
from tests.support.processes import sandbox_children, worker_processes
from tests.support.workers import wait_until

# Of the consumer of the delay queue, in a line of JSON.
LOST_CONNECTION = (
    'ConsumerThread(training.DQ)", "message": "Consumer encountered a connection error'
)


@dataclass(frozen=True, slots=True)
class Fragile:
    """A house whose servers a test may stop."""

    house: House
    redis: EmbeddedRedis
    postgres: EmbeddedPostgres
    group: WorkerGroup
    workers: list[psutil.Process]
    trained: SmallProject

    @property
    def log(self) -> str:
        return self.group.log.read_text()

    def require_whole(self, project: SmallProject) -> None:
        """One version of a project, with all its files, and no process more or less than before."""
        house = self.house
        versions = house.database.rows(
            "SELECT version, status, manifest FROM model WHERE field_id = :i", i=project.field_id
        )
        assert [(row["version"], row["status"]) for row in versions] == [(1, "ready")]
        manifest = verify_model(house.model_directory(project, 1))
        assert manifest.training_digest == versions[0]["manifest"]["training_digest"]
        assert worker_processes(self.group.process.pid) == self.workers
        wait_until(lambda: sandbox_children(self.group.process.pid) == [])
        house.wait_tidy()
        house.wait_settled()
        assert house.sender.dead_letters("training") == {}


@pytest.fixture(scope="module")
def fragile() -> Iterator[Fragile]:
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-fragile-") as name,
        EmbeddedRedis(Path(name) / "redis", durable=True) as redis,
        EmbeddedPostgres(Path(name) / "postgres", durable=False) as postgres,
    ):
        asyncio.run(migrate(postgres.database_uri))
        with open_house(postgres.database_uri, redis.broker_url, Path(name)) as house:
            project = house.project(training=4, test=1)
            with house.worker() as group:
                house.train(project)
                workers = worker_processes(group.process.pid)
                yield Fragile(house, redis, postgres, group, workers, project)


@pytest.mark.slow
def test_messages_sent_while_postgresql_is_away_succeed_when_it_is_back(fragile: Fragile) -> None:
    house = fragile.house
    password = fragile.postgres.database_uri.split(":")[2].split("@")[0]
    fragile.postgres.stop()
    messages = [house.send_prediction(fragile.trained, None) for _ in range(4)]
    wait_until(lambda: "PostgreSQL" in fragile.log or "could not be started" in fragile.log)
    fragile.postgres.start()
    for message_id in messages:
        assert house.database.succeeded(message_id)["attempts"] == 1
    house.wait_settled()
    assert house.sender.dead_letters("prediction") == {}
    folder = house.storage / f"{fragile.trained.project_id}/predictions/{fragile.trained.field_id}"
    histories = {file.stem: file.read_text().splitlines() for file in folder.glob("v1/*.jsonl")}
    assert histories.keys() == set(messages)
    assert {len(lines) for lines in histories.values()} == {len(fragile.trained.document_ids)}
    predicted = house.database.rows("SELECT document_id FROM prediction ORDER BY document_id")
    assert [row["document_id"] for row in predicted] == fragile.trained.document_ids
    fragile.require_whole(fragile.trained)
    assert password not in fragile.log


@pytest.mark.slow
def test_a_training_that_loses_postgresql_in_the_middle_succeeds_all_the_same(
    fragile: Fragile, took: Took
) -> None:
    house = fragile.house
    project = house.slow_project()
    message_id = house.send_training(project)
    sandbox = house.training_process(project, fragile.group)
    fragile.postgres.stop()
    wait_until(lambda: not sandbox.is_running())
    fragile.postgres.start()
    back_at = time.monotonic()
    wait_until(lambda: len(sandbox_children(fragile.group.process.pid)) == 1, poll_s=0.01)
    took("PostgreSQL starts again: to work at the task it interrupted", time.monotonic() - back_at)
    assert house.database.succeeded(message_id)["result"]["model_version"] == 1
    fragile.require_whole(project)


@pytest.mark.slow
def test_messages_outlive_a_restart_of_redis_and_the_worker_goes_on(
    fragile: Fragile, took: Took
) -> None:
    house = fragile.house
    project = house.slow_project()
    running = house.send_training(project)
    house.training_process(project, fragile.group)
    fragile.redis.stop()
    wait_until(lambda: "connection error" in fragile.log)
    fragile.redis.start()
    back_at = time.monotonic()
    sent_after = house.send_prediction(fragile.trained, None)
    assert house.database.succeeded(sent_after)
    took("Redis starts again: to the success of the next task", time.monotonic() - back_at)
    assert house.database.succeeded(running)["attempts"] == 1
    fragile.require_whole(project)


@pytest.mark.slow
def test_a_message_that_waits_for_its_retry_outlives_a_restart_of_redis(fragile: Fragile) -> None:
    house = fragile.house
    project = house.project(training=2, test=0)
    message = house.sender.message(
        "train_field_model",
        message_id="delayed",
        project_id=project.project_id,
        field_id=project.field_id,
    )
    later = {"eta": current_millis() + 2_000}
    house.sender.broker.enqueue(message.copy(queue_name="training.DQ", options=later))
    before = fragile.log.count(LOST_CONNECTION)
    fragile.redis.stop()
    wait_until(lambda: fragile.log.count(LOST_CONNECTION) > before)
    fragile.redis.start()
    assert house.database.succeeded("delayed")["attempts"] == 1
    house.wait_settled()


@pytest.mark.slow
def test_the_log_of_all_that_is_json_without_a_secret(fragile: Fragile) -> None:
    for line in fragile.log.splitlines():
        json.loads(line)
    for uri in (fragile.redis.broker_url, fragile.postgres.database_uri):
        assert uri.rsplit(":", 2)[1].split("@")[0] not in fragile.log
