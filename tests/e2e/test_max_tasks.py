"""Workers that are started for so many tasks and end by themselves, as a Kubernetes job has it."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.house import House
from tests.support.workers import wait_until

COMMAND = [str(Path(sys.executable).with_name("lexiclass-worker")), "run"]


@pytest.mark.slow
def test_a_worker_ends_in_order_after_its_tasks_and_leaves_the_rest(own_house: House) -> None:
    projects = [own_house.project() for _ in range(3)]
    messages = [own_house.send_training(project) for project in projects]
    log = own_house.directory / "job.log"
    group = WorkerGroup.start(
        "job",
        [*COMMAND, "--queue", "training", "--threads", "2", "--max-tasks", "2"],
        environment={**own_house.environment, "METRICS__PORT": str(free_port())},
        metrics_port=free_port(),
        log=log,
    )
    try:
        assert group.process.wait(180) == 0, log.read_text()
    finally:
        group.stop()

    tasks = [own_house.database.task(message) for message in messages]
    statuses = sorted("none" if task is None else task["status"] for task in tasks)
    assert statuses == ["none", "succeeded", "succeeded"]
    assert own_house.sender.size("training") == 1
    with own_house.worker():
        for message in messages:
            row = own_house.database.succeeded(message)
            assert row["attempts"] == 1
            assert row["crashes"] == 0
    own_house.wait_settled()


@pytest.mark.slow
def test_a_task_that_may_not_start_yet_uses_up_nothing(own_house: House) -> None:
    project = own_house.project()
    later = own_house.send_training(project, options={"priority": 1})
    wait_until(lambda: own_house.sender.size("training") == 1)
    own_house.database.execute(
        "INSERT INTO task (message_id, type, queue, project_id, status, not_before) VALUES "
        "(:id, 'train_field_model', 'training', :project, 'pending', now() + interval '4 s')",
        id=later,
        project=project.project_id,
    )
    log = own_house.directory / "job.log"
    group = WorkerGroup.start(
        "job",
        [*COMMAND, "--queue", "training", "--max-tasks", "1"],
        environment=own_house.environment,
        metrics_port=free_port(),
        log=log,
    )
    try:
        assert group.process.wait(180) == 0, log.read_text()
    finally:
        group.stop()
    assert own_house.database.succeeded(later)["attempts"] == 1


@contextmanager
def training_worker(house: House, *options: str, **settings: str) -> Iterator[WorkerGroup]:
    group = WorkerGroup.start(
        "job",
        [*COMMAND, "--queue", "training", *options],
        environment={**house.environment, **settings},
        metrics_port=free_port(),
        log=house.directory / "job.log",
    )
    try:
        yield group
    finally:
        group.stop()


@pytest.mark.slow
def test_a_worker_that_may_not_be_idle_ends_without_a_task_and_not_during_one(
    own_house: House,
) -> None:
    with training_worker(own_house, "--max-tasks", "1", LIMITS__IDLE_S="1") as group:
        assert group.process.wait(60) == 0, group.log.read_text()
    project, idle_s = own_house.slow_project(), 8
    message = own_house.send_training(project)
    with training_worker(own_house, LIMITS__IDLE_S=str(idle_s)) as group:
        process = own_house.training_process(project, group)
        process.suspend()
        time.sleep(idle_s + 1)
        process.resume()
        # It ends once it has had nothing to do for as long, and not before.
        assert own_house.database.succeeded(message)["attempts"] == 1
        assert group.process.wait(180) == 0, group.log.read_text()
    row = own_house.database.succeeded(message)
    assert (row["attempts"], row["crashes"]) == (1, 0)


@pytest.mark.slow
def test_what_the_last_task_counted_is_scraped_before_its_worker_ends(own_house: House) -> None:
    message = own_house.send("train_field_model", project_id=10**6, field_id=1)
    scraped = ""
    with training_worker(own_house, "--max-tasks", "1", METRICS__LINGER_S="300") as group:
        own_house.database.failed(message)
        while group.process.poll() is None:
            url = f"{group.metrics_address}/metrics"
            with suppress(OSError), urllib.request.urlopen(url, timeout=30) as told:
                scraped = told.read().decode()
            time.sleep(0.2)
        assert group.process.returncode == 0, group.log.read_text()
    assert 'code="NOT_FOUND"' in scraped


def test_more_processes_than_one_are_refused(own_house: House) -> None:
    done = subprocess.run(
        [*COMMAND, "--processes", "2", "--max-tasks", "1"],
        env=export_environment(own_house.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--processes 1" in done.stderr
