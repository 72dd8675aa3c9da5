"""Documents at which the native code that parses them crashes, every time, or never ends."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.measuring import Took
from tests.support.processes import sandbox_children, wait_until_gone, worker_processes
from tests.support.workers import wait_until

CRASH = "\N{SKULL AND CROSSBONES}"
HANG = "\N{HOURGLASS}"


@pytest.mark.slow
def test_a_document_that_crashes_its_parser_every_time_is_given_up_and_named(
    own_house: House, faulty_plugin: Path
) -> None:
    labels = ("animals", "vehicles")
    trained, training, indexing, healthy = (
        own_house.project(labels=labels, training=6, test=2) for _ in range(4)
    )
    with own_house.worker(PYTHONPATH=str(faulty_plugin), SANDBOX__PROCESSES="2") as group:
        own_house.train(trained, tokenizer="faulty")
        poisoned = {
            project.project_id: poison(own_house, project, CRASH)
            for project in (trained, training, indexing)
        }
        before = worker_processes(group.process.pid)
        messages = {
            trained.project_id: own_house.send_prediction(trained, None),
            training.project_id: own_house.send_training(training, tokenizer="faulty"),
            indexing.project_id: own_house.send(
                "index_documents", project_id=indexing.project_id, tokenizer="faulty"
            ),
        }
        others = [
            own_house.send_training(healthy),
            own_house.send_prediction(trained, trained.test_ids),
        ]
        failed = {
            project_id: own_house.database.failed(message_id)
            for project_id, message_id in messages.items()
        }
        unharmed = [own_house.database.succeeded(message_id) for message_id in others]
        own_house.wait_settled()
        assert worker_processes(group.process.pid) == before
        wait_until(lambda: sandbox_children(group.process.pid) == [])

    for project_id, task in failed.items():
        details = task["error"]["details"]
        assert (task["error"]["code"], task["attempts"], task["crashes"]) == ("CRASHED", 3, 3)
        assert f"document {poisoned[project_id]}" in task["error"]["message"], task["error"]
        assert details["document_ids"] == [poisoned[project_id]]
        assert details["attempts"] == 3
        assert details["stage"] is not None
        assert own_house.sender.is_dead_letter(task["queue"], messages[project_id])
        if project_id != indexing.project_id:
            assert (details["signal"], details["exit_code"]) == ("SIGSEGV", -signal.SIGSEGV)
    assert [(task["attempts"], task["crashes"]) for task in unharmed] == [(1, 0)] * 2
    assert own_house.model_status(training) == "failed"
    assert not own_house.model_directory(training, 1).exists()
    assert list(own_house.storage.rglob("index.json")) == []
    own_house.wait_tidy()


@pytest.mark.slow
def test_crashes_are_counted_apart_from_attempts_that_failed_otherwise(
    own_house: House, faulty_plugin: Path
) -> None:
    project = own_house.project(training=4, test=0)
    poison(own_house, project, CRASH)
    # A file where a folder should be: nobody can work until it is gone.
    blocker = own_house.storage / ".scratch"
    blocker.write_text("in the way")
    settings = {"RETRIES__MAX_ATTEMPTS": "99", "RETRIES__MAX_CRASHES": "2"}
    with own_house.worker(settings, PYTHONPATH=str(faulty_plugin)):
        message_id = own_house.send_training(project, tokenizer="faulty")
        waiting = own_house.database.wait_for_task(message_id, "retrying")
        assert (waiting["error"]["code"], waiting["crashes"]) == ("STORAGE_ERROR", 0)
        blocker.unlink()
        task = own_house.database.failed(message_id)
    assert task["error"]["code"] == "CRASHED"
    assert task["crashes"] == 2
    assert waiting["attempts"] + 2 <= task["attempts"] == task["error"]["details"]["attempts"] < 99


@pytest.mark.slow
def test_a_time_limit_ends_a_call_in_which_no_python_runs(
    own_house: House, faulty_plugin: Path, took: Took
) -> None:
    limit_s = 8.0
    project = own_house.project(training=4, test=0)
    poison(own_house, project, HANG)
    settings = {"PYTHONPATH": str(faulty_plugin), "LIMITS__TIME_LIMIT_S": str(limit_s)}
    with own_house.worker(settings) as group:
        message_id = own_house.send_training(project, tokenizer="faulty")
        child = own_house.training_process(project, group)
        wait_until(lambda: is_asleep_in_c(child))
        task = own_house.database.failed(message_id)
        wait_until_gone([child])
    ran_s = (task["finished_at"] - task["started_at"]).total_seconds()
    assert limit_s <= ran_s
    took("time limit inside a C call: from the limit to a failed row", ran_s - limit_s)
    assert task["error"]["code"] == "TIME_LIMIT"
    assert task["error"]["details"]["stage"] == "tokenize"
    assert own_house.model_status(project) == "failed"
    assert not own_house.model_directory(project, 1).exists()
    own_house.wait_tidy()


@pytest.mark.slow
def test_a_shutdown_ends_a_call_in_which_no_python_runs(
    own_house: House, faulty_plugin: Path, took: Took
) -> None:
    project = own_house.project(training=4, test=0)
    poison(own_house, project, HANG)
    with own_house.worker(PYTHONPATH=str(faulty_plugin)) as group:
        message_id = own_house.send_training(project, tokenizer="faulty")
        child = own_house.training_process(project, group)
        wait_until(lambda: is_asleep_in_c(child))
        asked = time.monotonic()
        group.request_stop()
        wait_until_gone([child])
        took("SIGTERM of a group: to the end of a child inside a C call", time.monotonic() - asked)
    task = own_house.database.task(message_id)
    assert task is not None
    assert (task["status"], task["attempts"], task["crashes"]) == ("pending", 0, 0)
    assert own_house.sender.size("training") == 1
    own_house.wait_tidy()


def poison(house: House, project: SmallProject, poison: str) -> int:
    """Put what its tokenizer cannot bear into a document amid others."""
    document_id = project.training_ids[4]
    house.document_file(project, document_id).write_text(f"cat {poison} dog")
    return document_id


def is_asleep_in_c(process: psutil.Process) -> bool:
    """Whether the kernel says that its main thread sleeps because it asked to."""
    return "nanosleep" in Path(f"/proc/{process.pid}/wchan").read_text()
