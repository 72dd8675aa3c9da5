"""Each alert, raised once by what it is about: real workers, a real Prometheus, real faults.

The rules are those of deploy/prometheus/rules.yaml, but that they wait for seconds.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.worker_group import dramatiq_command
from tests.support.databases import migrate
from tests.support.house import House, open_house
from tests.support.measuring import Took
from tests.support.prometheus import Prometheus, alerts, impatient_rules, running_prometheus
from tests.support.workers import wait_until

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(600)]

BUG = "\N{BUG}"

BY_TASKS = {
    "LexiclassWorkersMissing", "LexiclassQueuePaused", "LexiclassModelsOld", "LexiclassIndexesOld",
    "LexiclassDocumentsRefused", "LexiclassModelCorrupt", "LexiclassStorageErrors",
    "LexiclassTasksFail", "LexiclassDeadLetters", "LexiclassCrashes", "LexiclassCheckWarns",
    "LexiclassMessagesLost", "LexiclassInternalErrors", "LexiclassBackupMissing",
}  # fmt: skip
BY_A_KILLED_GROUP = {
    "LexiclassGroupDown", "LexiclassWorkerSilent", "LexiclassTasksAbandoned",
    "LexiclassQueueWithoutWorker", "LexiclassQueueWaits", "LexiclassLeasesLapse",
    "LexiclassNothingScraped",
}  # fmt: skip
BY_LIMITS = {"LexiclassMemoryStops", "LexiclassTimeLimits"}
BY_LOST_SERVERS = {
    "LexiclassRedisDown", "LexiclassReconcilerStalled", "LexiclassMetricsIncomplete",
    "LexiclassPostgresqlDown", "LexiclassDatabaseErrors", "LexiclassNotReady",
}  # fmt: skip


def test_every_alert_is_raised_here() -> None:
    assert alerts().keys() == BY_TASKS | BY_A_KILLED_GROUP | BY_LIMITS | BY_LOST_SERVERS


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-alerts-") as directory,
        running_prometheus(Path(directory), rules=impatient_rules(), interval="2s") as running,
    ):
        yield running


def listening_to(queue: QueueName) -> list[str]:
    """The command of a group of one thread."""
    return dramatiq_command(processes=1, threads=1, queues=[queue])


def wait_until_raised(prometheus: Prometheus, names: set[str]) -> None:
    deadline = time.monotonic() + 120
    while missing := names - prometheus.raised():
        assert time.monotonic() < deadline, f"not raised: {sorted(missing)}"
        time.sleep(0.5)
    said = prometheus.annotations()
    assert [text for text in said if "<" in text or "{{" in text or "%!" in text] == []


def wait_until_scraped(prometheus: Prometheus, groups: int = 1) -> None:
    """Twice, so that what comes next is an increase."""
    wait_until(lambda: len(prometheus.query("count_over_time(up[1m]) > 1")) == groups)
    wait_until(lambda: len(prometheus.query("lexiclass_fields")) == groups)


def test_alerts_of_tasks_that_fail_wait_or_are_lost(
    own_house: House, prometheus: Prometheus, faulty_plugin: Path, took: Took
) -> None:
    house = own_house
    settings = {
        "METRICS__EXPECTED_WORKERS": "training=3", "RECONCILER__INTERVAL_S": "1",
        "PYTHONPATH": str(faulty_plugin),
    }  # fmt: skip
    trained, broken = house.project(training=2, test=1), house.project(training=4, test=2)
    buggy, slow, blocked = (
        house.project(training=4, test=0), house.slow_project(), house.project(training=2, test=0)
    )  # fmt: skip
    with (
        house.worker(settings, threads=4) as group,
        redis.Redis.from_url(house.environment["DRAMATIQ__BROKER_URL"]) as client,
    ):
        house.train(trained)
        prometheus.scrape(all=group.metrics_port)
        wait_until_scraped(prometheus)
        began = time.monotonic()
        for document_id in broken.training_ids[:6]:
            house.document_file(broken, document_id).unlink()
        house.database.succeeded(house.send("index_documents", project_id=broken.project_id))
        for file in house.model_directory(trained, 1).rglob("*"):
            if file.is_file() and file.name != "manifest.json":
                file.write_bytes(b"changed")
        house.database.failed(house.send_prediction(trained, None))
        house.document_file(buggy, buggy.training_ids[0]).write_text(f"cat {BUG} dog")
        house.database.failed(house.send_training(buggy, tokenizer="faulty"))
        (house.storage / str(blocked.project_id) / "models").write_text("where a folder should be")
        house.database.failed(house.send_training(blocked))
        crashed = house.send_training(slow)
        house.training_process(slow, group).kill()
        house.database.succeeded(crashed)
        unknown = [house.send("train_field_model", project_id=10**6, field_id=1) for _ in range(60)]
        for message_id in unknown:
            house.database.failed(message_id)
        house.wait_settled()

        house.database.execute("UPDATE model SET trained_at = now() - interval '1 y'")
        house.database.execute(
            "INSERT INTO backup (name, created_at) VALUES ('old', now() - interval '2 days')"
        )
        house.database.execute("UPDATE project SET last_indexed_at = now() - interval '1 y'")
        policy = client.config_get("maxmemory-policy")["maxmemory-policy"]
        client.config_set("maxmemory-policy", "allkeys-lru")
        house.pause("training")
        lost = house.database.value(
            "INSERT INTO task (message_id, type, queue, project_id, request, updated_at) VALUES "
            "('lost', 'index_documents', 'indexing', CAST(:id AS bigint), "
            "jsonb_build_object('project_id', CAST(:id AS bigint)), "
            "now() - interval '1 h') RETURNING message_id",
            id=trained.project_id,
        )
        try:
            wait_until_raised(prometheus, BY_TASKS)
        finally:
            client.config_set("maxmemory-policy", policy)
        house.database.succeeded(lost)
    took("alerts of tasks: from the first fault to the last alert", time.monotonic() - began)


def test_alerts_of_a_group_that_was_killed(
    own_house: House, prometheus: Prometheus, took: Took
) -> None:
    house = own_house
    settings = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000"}
    project, waiting = house.slow_project(), house.project(training=2, test=0)
    # No group runs yet.
    wait_until_raised(prometheus, {"LexiclassNothingScraped"})

    with house.worker(settings, command=listening_to(QueueName.PREDICTION)) as other:
        with house.worker(settings, command=listening_to(QueueName.TRAINING)) as group:
            prometheus.scrape(killed=group.metrics_port, other=other.metrics_port)
            wait_until_scraped(prometheus, 2)
            running = house.send_training(project)
            house.training_process(project, group)
            os.killpg(group.process.pid, signal.SIGKILL)
            began = time.monotonic()
            later = house.send_training(waiting)
            house.database.execute(
                "INSERT INTO task (message_id, type, queue, project_id) VALUES "
                "(:id, 'train_field_model', 'training', :project_id)",
                id=later,
                project_id=waiting.project_id,
            )
            wait_until_raised(prometheus, BY_A_KILLED_GROUP - {"LexiclassLeasesLapse"})
        with house.worker(settings, command=listening_to(QueueName.TRAINING)) as group:
            prometheus.scrape(new=group.metrics_port, other=other.metrics_port)
            assert house.database.succeeded(running)["crashes"] == 1
            wait_until_raised(prometheus, BY_A_KILLED_GROUP)
            house.database.succeeded(later)
    took("alerts of a killed group: from SIGKILL to the last alert", time.monotonic() - began)


def test_alerts_of_limits(own_house: House, prometheus: Prometheus) -> None:
    house = own_house
    large, slow = house.slow_project(), house.slow_project()
    with (
        house.worker(
            {"LIMITS__MEMORY_BYTES": str(48 * 2**20)},
            command=listening_to(QueueName.INDEXING),
        ) as little,
        house.worker(
            {"LIMITS__TIME_LIMIT_S": "1.5"},
            command=[*dramatiq_command(processes=1, threads=1, queues=()), "--queues", "training"],
        ) as short,
    ):
        prometheus.scrape(little=little.metrics_port, short=short.metrics_port)
        wait_until_scraped(prometheus, 2)
        house.database.failed(house.send("index_documents", project_id=large.project_id))
        house.database.failed(house.send_training(slow))
        wait_until_raised(prometheus, BY_LIMITS)


def test_alerts_of_servers_that_are_away(prometheus: Prometheus, took: Took) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="lexiclass-fragile-") as name,
        EmbeddedRedis(Path(name) / "redis", durable=True) as broker,
        EmbeddedPostgres(Path(name) / "postgres", durable=False) as postgres,
    ):
        asyncio.run(migrate(postgres.database_uri))
        with (
            open_house(postgres.database_uri, broker.broker_url, Path(name)) as house,
            house.worker(RECONCILER__INTERVAL_S="1") as group,
        ):
            project = house.project(training=2, test=0)
            house.train(project)
            prometheus.scrape(all=group.metrics_port)
            wait_until_scraped(prometheus)
            reconciled = "lexiclass_reconciler_last_success_timestamp_seconds > 0"
            wait_until(lambda: prometheus.query(reconciled))
            began = time.monotonic()

            broker.stop()
            wait_until_raised(prometheus, {"LexiclassRedisDown", "LexiclassMetricsIncomplete"})
            broker.start()
            postgres.stop()
            predicted = house.send_prediction(project, None)
            wait_until_raised(
                prometheus,
                {
                    *("LexiclassPostgresqlDown", "LexiclassDatabaseErrors"),
                    "LexiclassReconcilerStalled",
                },
            )
            postgres.start()
            house.database.succeeded(predicted)
            aside = house.storage.rename(house.storage.with_name("aside"))
            wait_until_raised(prometheus, BY_LOST_SERVERS)
            aside.rename(house.storage)
    took("alerts of servers and storage: one after the other", time.monotonic() - began)
