"""Limits that a task meets: of time and of space."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Shared
from tests.support.disks import free_bytes, leave_free, mounted_disk
from tests.support.house import House
from tests.support.processes import living_tree, sandbox_children, wait_until_gone
from tests.support.workers import wait_until


@pytest.mark.slow
def test_a_task_that_takes_too_long_is_stopped_for_good(own_house: House) -> None:
    project = own_house.slow_project()
    # Time for a busy machine to come to the training, which then does not end by itself.
    with own_house.worker(LIMITS__TIME_LIMIT_S="8.5") as group:
        message_id = own_house.send_training(project)
        own_house.training_process(project, group).suspend()
        task = own_house.database.failed(message_id)
        wait_until(lambda: not sandbox_children(group.process.pid))
        own_house.wait_settled()
    assert (task["error"]["code"], task["attempts"]) == ("TIME_LIMIT", 1)
    assert "8.5 s" in task["error"]["message"]
    assert task["error"]["details"]["time_limit_s"] == 8.5
    assert own_house.sender.is_dead_letter("training", message_id)
    assert not own_house.model_directory(project, 1).exists()
    own_house.wait_tidy()
    version = own_house.database.row("SELECT status, metrics FROM model")
    assert version is not None
    assert (version["status"], version["metrics"]["error"]["code"]) == ("failed", "TIME_LIMIT")


@pytest.mark.slow
def test_a_task_that_takes_too_much_memory_fails_alone_and_nothing_stays_when_the_worker_ends(
    own_house: House,
) -> None:
    large, small = own_house.slow_project(), own_house.project(training=2, test=2)
    with own_house.worker(LIMITS__MEMORY_BYTES=str(48 * 2**20)) as group:
        # A training would be refused before it began.
        failed = own_house.send("index_documents", project_id=large.project_id)
        own_house.train(small)
        own_house.database.succeeded(own_house.send_prediction(small, small.test_ids))
        task = own_house.database.failed(failed)
        tree = living_tree(group.process.pid)
        waiting = [process for process in tree if process.name() == "lexi:idle"]
        assert len(waiting) == 1
        group.request_stop()
        wait_until_gone(waiting)
        group.stop()
        wait_until_gone(tree)
    assert (task["error"]["code"], task["attempts"]) == ("MEMORY_LIMIT", 1)
    details = task["error"]["details"]
    assert details["peak_memory_bytes"] > details["limit_bytes"] == 48 * 2**20
    assert "48 MiB" in task["error"]["message"]
    assert list(own_house.storage.rglob("index.json")) == []
    own_house.wait_tidy()


@pytest.mark.slow
def test_a_storage_that_cannot_be_written_fails_the_training_after_its_attempts(
    shared: Shared,
) -> None:
    house = shared.house
    project = house.project(training=2, test=0)
    blocker = house.storage / str(project.project_id) / "models"
    blocker.write_text("a file where a folder should be")

    message_id = house.send_training(project)
    task = house.database.failed(message_id)

    assert (task["error"]["code"], task["attempts"]) == ("STORAGE_ERROR", 3)
    assert task["error"]["retryable"] is True
    assert house.database.value(
        "SELECT status FROM model WHERE field_id = :id", id=project.field_id
    ) == ("failed")
    assert blocker.is_file()
    house.wait_tidy()

    blocker.unlink()
    assert house.train(project)["result"]["model_version"] == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted_disk(tmp_path / "disk", size="2m") as disk:
        yield disk


TRIED_OFTEN = """
    SELECT task_id FROM task_event WHERE event = 'retrying' GROUP BY task_id HAVING sum(times) >= 4
"""


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 8_192, 40_960], ids=["full", "a text", "arrays"])
def test_a_training_waits_out_a_full_disk(own_house: House, small_disk: Path, free: int) -> None:
    own_house.storage = small_disk
    project = own_house.project(training=40, test=0)
    with own_house.worker(
        STORAGE__BASE_PATH=str(small_disk), RETRIES__MIN_BACKOFF_S="0.5", RETRIES__MAX_ATTEMPTS="2"
    ) as group:
        # One that starts on a full disk says that it is not ready.
        ballast = leave_free(small_disk, free)
        before = free_bytes(small_disk)
        message_id = own_house.send_training(project, feature_extractor="tfidf")

        # More often than there are attempts.
        wait_until(lambda: own_house.database.rows(TRIED_OFTEN))
        waiting = own_house.database.wait_for_task(message_id, "retrying")
        assert waiting["attempts"] <= 1
        error = waiting["error"]
        assert (error["code"], error["retryable"]) == ("STORAGE_ERROR", True)
        assert "No space left on device" in error["message"]
        assert error["details"]["errno"] == errno.ENOSPC
        assert str(small_disk) in error["details"]["path"]
        assert not own_house.model_directory(project, 1).exists()
        own_house.wait_tidy()
        assert free_bytes(small_disk) == before
        ballast.unlink()
        task = own_house.database.succeeded(message_id)
    assert task["attempts"] <= 2
    version = task["result"]["model_version"]
    assert (own_house.model_directory(project, version) / "manifest.json").is_file()
    # The work was begun once in vain: then there was a look at the room only.
    assert group.log.read_text().count("The work failed in the sandbox") <= 1


@pytest.mark.slow
def test_an_indexing_and_a_prediction_wait_out_a_full_disk(
    own_house: House, small_disk: Path
) -> None:
    own_house.storage = small_disk
    project = own_house.project(training=40, test=40)
    with own_house.worker(
        STORAGE__BASE_PATH=str(small_disk), RETRIES__MIN_BACKOFF_S="0.5", RETRIES__MAX_ATTEMPTS="2"
    ):
        own_house.train(project)
        ballast = leave_free(small_disk, 4_096)
        before = free_bytes(small_disk)
        indexing = own_house.send("index_documents", project_id=project.project_id)
        # More often than there are attempts.
        wait_until(lambda: own_house.database.rows(TRIED_OFTEN))
        waiting = own_house.database.wait_for_task(indexing, "retrying")
        assert waiting["attempts"] <= 1
        error = waiting["error"]
        assert (error["code"], error["retryable"]) == ("STORAGE_ERROR", True)
        assert "No space left on device" in error["message"]
        assert error["details"]["errno"] == errno.ENOSPC
        prediction = own_house.send_prediction(project, None)
        own_house.database.wait_for_task(prediction, "retrying")
        own_house.wait_tidy()
        assert free_bytes(small_disk) == before
        ballast.unlink()
        own_house.database.succeeded(prediction)
        own_house.database.succeeded(indexing)
