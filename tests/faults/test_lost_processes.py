"""Processes that are killed while they work."""

import json
import os
import signal
import time

import pytest

from lexiclass import verify_model
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command
from tests.faults.conftest import Shared
from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.measuring import Took
from tests.support.processes import (
    living_tree,
    nothing_left_behind,
    processes_about,
    sandbox_children,
    wait_until_gone,
    worker_processes,
)
from tests.support.workers import wait_until


def test_a_training_whose_process_was_killed_is_tried_again_and_succeeds(shared: Shared) -> None:
    house, group = shared.house, shared.group
    before = {process.pid for process in living_tree(group.process.pid)}
    project = house.slow_project()
    message_id = house.send_training(project)
    child = house.training_process(project, group)
    # The second attempt need not take as long.
    child.suspend()
    house.make_quick(project)
    child.kill()
    task = house.database.succeeded(message_id)
    assert (task["attempts"], task["error"], task["result"]["model_version"]) == (2, None, 1)
    assert model_states(house, project) == [(1, "ready")]
    assert before <= {process.pid for process in living_tree(group.process.pid)}


@pytest.mark.slow
def test_a_killed_process_costs_no_other_task_of_its_worker_anything(
    shared: Shared, took: Took
) -> None:
    house, group = shared.house, shared.group
    workers = worker_processes(group.process.pid)
    unlucky, other = house.slow_project(), house.slow_project()
    killed = house.send_training(unlucky)
    victim = house.training_process(unlucky, group)
    untouched = house.send_training(other)
    wait_until(lambda: house.model_status(other) == "training")
    (bystander,) = wait_until(lambda: set(sandbox_children(group.process.pid)) - {victim})

    victim.kill()
    began = time.monotonic()
    wait_until(lambda: attempts(house, killed) == 2, poll_s=0.01)
    took("SIGKILL of a child: to the second attempt", time.monotonic() - began)
    assert bystander.is_running()

    first, second = house.database.succeeded(killed), house.database.succeeded(untouched)
    assert (first["attempts"], first["crashes"]) == (2, 1)
    assert (second["attempts"], second["crashes"]) == (1, 0)
    for project in (unlucky, other):
        assert model_states(house, project) == [(1, "ready")]
        verify_model(house.model_directory(project, 1))
    assert worker_processes(group.process.pid) == workers
    house.wait_tidy()


@pytest.mark.slow
def test_a_training_whose_every_process_is_killed_fails_and_names_the_signal(
    shared: Shared,
) -> None:
    house = shared.house
    project = house.slow_project()
    message_id = house.send_training(project)
    for _ in range(3):
        house.training_process(project, shared.group).kill()
        wait_until(lambda: house.model_status(project) == "failed", poll_s=0.01)
    task = house.database.failed(message_id)
    assert task["attempts"] == 3
    assert task["error"]["code"] == "CRASHED"
    assert "SIGKILL" in task["error"]["message"]
    assert task["error"]["details"]["attempts"] == 3
    assert model_states(house, project) == [(1, "failed")]
    assert not house.model_directory(project, 1).exists()
    house.wait_settled()
    assert house.sender.is_dead_letter("training", message_id)
    # The worker is none the worse for it.
    house.train(house.project(training=2, test=0))


@pytest.mark.slow
def test_a_killed_worker_takes_its_sandbox_along_and_another_does_its_work(
    own_house: House, took: Took
) -> None:
    project, other = own_house.slow_project(), own_house.project(training=2, test=0)
    with nothing_left_behind() as temporary:
        settings = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000", **temporary}
        with own_house.worker(settings, threads=1) as group:
            running = own_house.send_training(project)
            own_house.training_process(project, group)
            waiting = own_house.send_training(other)
            tree = living_tree(group.process.pid)
            workers = worker_processes(group.process.pid)
            assert len(workers) < len(tree)  # the sandbox is not among them
            for process in workers:
                process.kill()
            killed_at = time.monotonic()
            wait_until_gone(tree)
        with own_house.worker(settings):
            wait_until(lambda: attempts(own_house, running) == 2)
            took(
                "SIGKILL of a worker: to the second attempt, heartbeat timeout 5 s",
                time.monotonic() - killed_at,
            )
            first = own_house.database.succeeded(running)
            second = own_house.database.succeeded(waiting)
    assert (first["attempts"], first["crashes"]) == (2, 1)
    assert (second["attempts"], second["crashes"]) == (1, 0)
    assert model_states(own_house, project) == [(1, "ready")]
    verify_model(own_house.model_directory(project, 1))
    assert own_house.sender.dead_letters("training") == {}
    assert processes_about(own_house.storage) == []


@pytest.mark.slow
def test_workers_whose_master_was_killed_hand_their_tasks_back_and_end(
    own_house: House, took: Took
) -> None:
    """Left alone they would go on, beside those that a supervisor starts in their stead."""
    projects = [own_house.slow_project(), own_house.slow_project()]
    with (
        nothing_left_behind() as temporary,
        own_house.worker(temporary, processes=2, threads=1) as group,
    ):
        messages = [own_house.send_training(project) for project in projects]
        wait_until(lambda: len(sandbox_children(group.process.pid)) == 2, poll_s=0.01)
        wait_until(lambda: [own_house.model_status(p) for p in projects] == ["training"] * 2)
        tree = living_tree(group.process.pid)

        group.process.kill()
        killed_at = time.monotonic()

        wait_until_gone(tree)
        took("SIGKILL of a master: to the end of its group", time.monotonic() - killed_at)
        handed_back = [own_house.database.task(message_id) for message_id in messages]
        log = group.log.read_text()
    assert [(task or {})["status"] for task in handed_back] == ["pending"] * 2
    assert [(task or {})["lease_owner"] for task in handed_back] == [None] * 2
    assert log.count("The master process is gone") == 2
    for line in log.splitlines():
        json.loads(line)
    assert processes_about(own_house.storage) == []
    own_house.wait_tidy()
    with own_house.worker():
        tasks = [own_house.database.succeeded(message_id) for message_id in messages]
        own_house.wait_settled()
    assert [(task["attempts"], task["crashes"]) for task in tasks] == [(1, 0)] * 2
    for project in projects:
        assert model_states(own_house, project) == [(1, "ready")]
    assert own_house.sender.dead_letters("training") == {}


@pytest.mark.slow
def test_a_worker_whose_master_was_killed_while_it_started_ends(own_house: House) -> None:
    """It would wait for ever to wake the master that waits for its start."""
    log = own_house.directory / "starting.log"
    with nothing_left_behind() as temporary:
        group = WorkerGroup.start(
            "starting",
            dramatiq_command(processes=1, threads=1, queues=()),
            environment={**own_house.environment, **temporary},
            metrics_port=free_port(),
            log=log,
        )
        # The master and, just forked, the worker.
        wait_until(lambda: len(worker_processes(group.process.pid)) == 2, poll_s=0.01)
        (worker,) = worker_processes(group.process.pid)[1:]
        time.sleep(0.2)
        group.process.kill()
        group.process.wait()
        wait_until(lambda: "The master process is gone" in log.read_text())
        wait_until_gone([worker], timeout_s=120)
    assert processes_about(own_house.storage) == []


@pytest.mark.slow
def test_a_worker_that_ends_begins_nothing_any_more(own_house: House) -> None:
    projects = [own_house.slow_project() for _ in range(3)]
    # Threads that wait for work this long have not noticed yet when tasks are handed back.
    with own_house.worker(threads=1, DRAMATIQ__POLL_INTERVAL_MS="5000") as group:
        messages = [own_house.send_training(project) for project in projects]
        wait_until(lambda: any(own_house.model_status(each) == "training" for each in projects))
        group.stop()
        log = group.log.read_text()
    tasks = [own_house.database.task(message) for message in messages]
    begun = [task for task in tasks if task is not None]
    assert [(task["status"], task["attempts"], task["crashes"]) for task in begun] == [
        ("pending", 0, 0)
    ]
    assert log.count("the message goes back to its queue") == 1
    assert own_house.sender.size("training") == len(projects)
    own_house.wait_tidy()


@pytest.mark.slow
def test_a_message_whose_worker_dies_every_time_is_given_up(own_house: House) -> None:
    """What Dramatiq would deliver for ever: the worker dies before it can say anything."""
    project = own_house.slow_project()
    settings = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000", "RETRIES__MAX_ATTEMPTS": "1"}
    with own_house.worker(settings) as group:
        message_id = own_house.send_training(project)
        own_house.training_process(project, group)
        os.killpg(group.process.pid, signal.SIGKILL)
        group.process.wait(60)
    with own_house.worker(settings):
        task = own_house.database.failed(message_id)
    assert task["error"]["code"] == "CRASHED"
    assert task["error"]["details"]["attempts"] == 1
    assert own_house.sender.is_dead_letter("training", message_id)


@pytest.mark.slow
def test_two_workers_that_train_one_field_at_once_make_two_versions(shared: Shared) -> None:
    house = shared.house
    project = house.slow_project()
    with house.worker(threads=1):
        messages = [house.send_training(project, classifier_params={"C": c}) for c in (1, 2, 4)]
        tasks = [house.database.succeeded(message_id) for message_id in messages]
    assert sorted(task["result"]["model_version"] for task in tasks) == [1, 2, 3]
    assert model_states(house, project) == [(1, "ready"), (2, "ready"), (3, "ready")]
    assert max(task["started_at"] for task in tasks) < min(task["finished_at"] for task in tasks)


def attempts(house: House, message_id: str) -> int:
    task = house.database.task(message_id)
    return 0 if task is None else int(task["attempts"])


def model_states(house: House, project: SmallProject) -> list[tuple[int, str]]:
    rows = house.database.rows(
        "SELECT version, status FROM model WHERE field_id = :id ORDER BY version",
        id=project.field_id,
    )
    return [(row["version"], row["status"]) for row in rows]
