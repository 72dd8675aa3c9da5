"""One message in the hands of two workers."""

import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from lexiclass import DocumentIndex
from tests.faults.conftest import Shared
from tests.support.corpora import SmallProject
from tests.support.house import House, fingerprint
from tests.support.measuring import Took
from tests.support.processes import living_tree, worker_processes
from tests.support.workers import wait_until

QUICK = {"DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000", "RECONCILER__INTERVAL_S": "0.5"}


@pytest.mark.slow
def test_a_stalled_worker_that_wakes_up_later_changes_nothing_of_the_others_work(
    own_house: House, took: Took
) -> None:
    project = own_house.slow_project()
    with ExitStack() as stack:
        groups = [stack.enter_context(own_house.worker(QUICK, threads=1)) for _ in range(2)]
        message_id = own_house.send_training(project)
        wait_until(lambda: own_house.model_status(project) == "training")
        # Its child may not have been started yet.
        holder = (own_house.database.task(message_id) or {})["lease_owner"]
        pid = int(holder.split(":")[1])
        runs = [
            any(worker.pid == pid for worker in worker_processes(group.process.pid))
            for group in groups
        ]
        assert sorted(runs) == [False, True]
        stalled, other = groups if runs[0] else reversed(groups)
        workers = worker_processes(stalled.process.pid)
        for process in workers:
            process.suspend()
            stack.callback(process.resume)
        stopped_at = time.monotonic()
        wait_until(lambda: (own_house.database.task(message_id) or {})["attempts"] == 2)
        took(
            "SIGSTOP of a worker: to the second attempt, heartbeat timeout 5 s",
            time.monotonic() - stopped_at,
        )
        task = own_house.database.succeeded(message_id)
        assert (task["attempts"], task["crashes"]) == (2, 1)
        files = fingerprint(own_house.model_directory(project, 1))

        for process in workers:
            process.resume()
        wait_until(lambda: f"the lease of task {task['id']} is lost" in stalled.log.read_text())
        own_house.wait_settled()

        assert own_house.database.task(message_id) == task
        assert fingerprint(own_house.model_directory(project, 1)) == files
        assert versions(own_house, project) == [(1, "ready")]
        own_house.wait_tidy()
        # The model is whole, and both workers go on.
        for group in (stalled, other):
            assert group.process.poll() is None
        for _ in range(4):
            prediction = own_house.send_prediction(project, None)
            assert own_house.database.succeeded(prediction)["result"]["model_version"] == 1


@pytest.mark.slow
def test_a_message_that_is_sent_twice_is_run_once(shared: Shared) -> None:
    house = shared.house
    project = house.slow_project()
    with house.worker(threads=1):
        message_id = house.send_training(project)
        for _ in range(3):
            house.send_training(project, message_id=message_id)
        task = house.database.succeeded(message_id)
        house.wait_settled()
    assert (task["attempts"], task["crashes"]) == (1, 0)
    assert versions(house, project) == [(1, "ready")]
    assert house.database.task(message_id) == task
    assert not house.sender.is_dead_letter("training", message_id)


def versions(house: House, project: SmallProject) -> list[tuple[int, str]]:
    rows = house.database.rows(
        "SELECT version, status FROM model WHERE field_id = :id ORDER BY version",
        id=project.field_id,
    )
    return [(row["version"], row["status"]) for row in rows]


@pytest.mark.slow
def test_two_workers_that_index_one_project_leave_one_whole_index(own_house: House) -> None:
    """The first is stopped past its lease, while its child goes on, and wakes up at the end."""
    project = own_house.slow_project()
    with ExitStack() as stack:
        stalled = stack.enter_context(own_house.worker(QUICK, threads=1))
        message_id = own_house.send("index_documents", project_id=project.project_id)
        wait_until(lambda: any(is_indexing(p) for p in living_tree(stalled.process.pid)))
        workers = worker_processes(stalled.process.pid)
        for process in workers:
            process.suspend()
            stack.callback(process.resume)
        other = stack.enter_context(own_house.worker(QUICK, threads=1))
        task = own_house.database.succeeded(message_id)
        assert (task["attempts"], task["crashes"]) == (2, 1)
        directory = Path(task["result"]["index_path"])
        manifest = (directory / "index.json").read_bytes()

        for process in workers:
            process.resume()
        wait_until(lambda: f"the lease of task {task['id']} is lost" in stalled.log.read_text())
        wait_until(lambda: not any(map(is_indexing, living_tree(stalled.process.pid))))
        own_house.wait_settled()

        assert own_house.database.task(message_id) == task
        assert (directory / "index.json").read_bytes() == manifest
        index = DocumentIndex.open(directory)
        index.verify()
        assert index.manifest.generation == 1
        assert sorted(index.table.ids.tolist()) == sorted(project.true_class)
        # Both go on, and so does the index.
        own_house.document_file(project, project.training_ids[0]).write_text("other words")
        again = own_house.send("index_documents", project_id=project.project_id)
        assert own_house.database.succeeded(again)["result"]["changed"] == 1
        named = {"index.json", *DocumentIndex.open(directory).manifest.files}
        assert {file.name for file in directory.iterdir()} == named
        for group in (stalled, other):
            assert group.process.poll() is None


def is_indexing(process: psutil.Process) -> bool:
    """Whether it is the child of a worker that builds an index."""
    try:
        return bool(process.name() == "lexi:Index")
    except psutil.Error:
        return False
