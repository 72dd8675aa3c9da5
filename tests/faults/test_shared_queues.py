"""Queues side by side: none blocks another, and what may not start yet waits without harm."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lexiclass_core.client import TaskClient
from lexiclass_core.queue_config import LOWEST_PRIORITY
from lexiclass_core.schemas import IndexDocuments
from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.faults.conftest import Shared
from tests.support.corpora import SmallProject
from tests.support.databases import Databases
from tests.support.house import House, lent_house
from tests.support.processes import living_tree, stopped
from tests.support.workers import wait_until

NOBODYS = 999_999


@pytest.fixture(scope="module")
def lanes(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    """A worker with one thread for each queue, and one training of a project at a time."""
    with (
        lent_house(
            servers,
            databases,
            tmp_path_factory.mktemp("lanes"),
            LIMITS__TRAININGS_PER_PROJECT="1",
        ) as house,
        house.worker(threads=1) as group,
    ):
        yield Shared(house, group)


def run(house: House, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    return subprocess.run(
        [Path(sys.executable).with_name(command), *arguments],
        env=export_environment(house.environment),
        cwd=house.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ready(house: House, queue: str) -> int:
    """Messages of a queue that wait in Redis, in nobody's hands."""
    return int(house.sender.broker.client.llen(f"{house.sender.namespace}:{queue}"))


@pytest.mark.slow
def test_a_prediction_does_not_wait_for_a_training_nor_a_training_behind_another(
    lanes: Shared,
) -> None:
    house = lanes.house
    trained = house.project(training=2, test=1)
    house.train(trained)
    slow, quick = house.slow_project(), house.project(training=2, test=1)
    first = house.send_training(slow)
    with stopped(house.training_process(slow, lanes.group)):
        second = house.send_training(quick)
        house.database.succeeded(house.send_prediction(trained, None))
        indexing = house.send("index_documents", project_id=trained.project_id)
        house.database.succeeded(indexing)
        # The second training is in no worker's hands: another process gets it at once.
        assert ready(house, "training") == 1
        with house.worker(threads=1):
            house.database.succeeded(second)
        task = house.database.task(first)
        assert task is not None
        assert task["status"] == "started"
    house.database.succeeded(first)


@pytest.mark.slow
def test_a_training_beyond_its_projects_limit_waits_without_a_thread_until_the_other_ends(
    lanes: Shared,
) -> None:
    house = lanes.house
    full, other = house.slow_project(), house.project(training=2, test=1)
    with house.worker(threads=2):
        messages = [house.send_training(full) for _ in range(2)]
        passing = house.send_training(other)
        # There are three threads for trainings, and none that waits.
        house.database.succeeded(passing)
        wait_until(lambda: ready(house, "training") == 1)
        tasks = [house.database.succeeded(message_id) for message_id in messages]
    before, after = sorted(tasks, key=lambda task: task["started_at"])
    assert (before["attempts"], after["attempts"]) == (1, 1)
    assert before["finished_at"] <= after["started_at"]


@pytest.mark.slow
def test_a_limit_is_free_again_when_the_worker_that_used_it_up_is_dead(own_house: House) -> None:
    settings = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000", "LIMITS__TRAININGS_PER_PROJECT": "1"}
    project = own_house.slow_project()
    with own_house.worker(settings) as group:
        killed = own_house.send_training(project)
        own_house.training_process(project, group)
        second = own_house.send_training(project)
        told = "SELECT per_project FROM task_limit WHERE type = 'train_field_model'"
        assert own_house.database.value(told) == 1
        for process in living_tree(group.process.pid):
            process.kill()
    with own_house.worker(settings):
        tasks = [own_house.database.succeeded(message_id) for message_id in (killed, second)]
    assert sorted(task["attempts"] for task in tasks) == [1, 2]
    assert sorted(task["result"]["model_version"] for task in tasks) == [1, 2]


@pytest.mark.slow
def test_priority_counts_across_the_whole_queue(lanes: Shared) -> None:
    house = lanes.house
    house.pause("indexing")
    # The first of a hundred is as far from the end as from a worker's hands.
    normal = [house.send("index_documents", project_id=NOBODYS) for _ in range(100)]
    urgent = house.send("index_documents", project_id=NOBODYS, options={"priority": 0})
    with TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.sender.namespace,
    ) as client:
        request = IndexDocuments(project_id=NOBODYS)
        last = client.submit(request, priority=LOWEST_PRIORITY)
        first = client.submit(request, priority=-1)
    later = house.send("index_documents", project_id=NOBODYS)
    house.resume()
    house.wait_settled()
    started = house.database.rows("SELECT message_id FROM task WHERE project_id = :id "
                                  "ORDER BY started_at", id=NOBODYS)  # fmt: skip
    order = [row["message_id"] for row in started]
    assert order[:2] == [first.message_id, urgent]
    assert order[-2:] == [later, last.message_id]
    assert sorted(order[2:-2]) == sorted(normal)


@pytest.mark.slow
def test_a_paused_queue_loses_nothing_and_the_others_go_on(lanes: Shared) -> None:
    house = lanes.house
    project = house.project(training=2, test=1)
    house.train(project)
    house.pause("prediction")
    prediction = house.send_prediction(project, None)
    house.train(project)
    task = house.database.task(prediction)
    assert task is None or (task["status"], task["attempts"]) == ("pending", 0)
    house.resume()
    assert house.database.succeeded(prediction)["attempts"] == 1


@pytest.mark.slow
def test_draining_waits_for_what_runs_and_says_when_it_did_not_end(lanes: Shared) -> None:
    house = lanes.house
    project: SmallProject = house.slow_project()
    running = house.send_training(project)
    with stopped(house.training_process(project, lanes.group)):
        drain = ["lexiclass-worker", "queues", "drain", "training", "--timeout", "1"]
        late = run(house, *drain)
        assert (late.returncode, "1 tasks still run" in late.stdout) == (1, True)
    waiting = house.send_training(house.project(training=2, test=1))
    done = run(house, *drain[:-1], "30")
    assert (done.returncode, "nothing of training runs" in done.stdout) == (0, True)
    ended = house.database.task(running)
    assert ended is not None
    assert ended["status"] == "succeeded"
    assert ready(house, "training") == 1
    house.resume()
    house.database.succeeded(waiting)


@pytest.mark.slow
def test_a_paused_queue_survives_its_workers_and_a_lost_redis(own_house: House) -> None:
    """And a message that a worker took just before is put back without an attempt."""
    own_house.pause("indexing")
    message_id = own_house.send("index_documents", project_id=NOBODYS)
    with own_house.worker(RECONCILER__INTERVAL_S="1"):
        client = own_house.sender.broker.client
        wait_until(lambda: ready(own_house, "indexing") == 1)
        time.sleep(0.5)
        assert own_house.database.task(message_id) is None
        own_house.database.execute(
            "INSERT INTO task (message_id, type, request) "
            "VALUES ('row', 'index_documents', '{\"project_id\": 999999}')"
        )
        client.flushall()
        # The reconciler sends what has a row, and it waits.
        wait_until(lambda: ready(own_house, "indexing") == 1)
        task = own_house.database.task("row")
        assert task is not None
        assert (task["status"], task["attempts"]) == ("pending", 0)
        own_house.resume()
        assert own_house.database.failed("row")["error"]["code"] == "NOT_FOUND"


@pytest.mark.slow
def test_the_worker_is_none_the_worse(lanes: Shared) -> None:
    """Runs last in this module."""
    group: WorkerGroup = lanes.group
    assert group.process.poll() is None
    assert "Traceback" not in group.log.read_text()
