"""Large predictions on real workers, which die, lose their messages or are told to stop."""

import json
import os
import signal
from contextlib import ExitStack

import pytest
from dramatiq.results import ResultFailure

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.worker_group import dramatiq_command
from tests.faults.test_cancelling import cancel
from tests.support.corpora import SmallProject, make_text
from tests.support.database import Row
from tests.support.house import House
from tests.support.processes import sandbox_children
from tests.support.workers import wait_until

QUICK = {"RECONCILER__INTERVAL_S": "1", "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000"}


def trained(house: House, *, slow: int, **settings: str) -> SmallProject:
    """A project with a model, of whose documents the first few take a second or so to predict."""
    project = house.project(training=4, test=0)
    with house.worker():
        house.train(project)
    for document_id in project.document_ids[:slow]:
        content = make_text("animals", document_id, words=5_000)
        # Without a blank, no piece of it is known from before.
        house.document_file(project, document_id).write_text((content * 300).replace(" ", "/"))
    return project


def chunks(house: House, status: str = "%") -> list[Row]:
    statement = "SELECT * FROM task WHERE parent_id IS NOT NULL AND status LIKE :s ORDER BY id"
    return house.database.rows(statement, s=status)


def predicted(house: House) -> list[int]:
    rows = house.database.rows("SELECT document_id FROM prediction ORDER BY document_id")
    return [row["document_id"] for row in rows]


@pytest.mark.slow
def test_workers_share_the_chunks_and_one_sent_twice_changes_nothing(own_house: House) -> None:
    project = trained(own_house, slow=6)
    ids = project.document_ids
    with ExitStack() as stack:
        # Who serves predictions serves chunks, though it does not say so.
        command = dramatiq_command(processes=1, threads=1, queues=(QueueName.PREDICTION,))
        groups = [
            stack.enter_context(own_house.worker(command=command, PREDICTION__CHUNK_SIZE="1"))
            for _ in range(2)
        ]
        message_id = own_house.send_prediction(project, None)
        own_house.database.wait_for_task(message_id, "started")
        wait_until(lambda: chunks(own_house, "started"))
        # A small one does not wait for the chunks that wait.
        own_house.database.succeeded(own_house.send_prediction(project, ids[-1:]))
        assert chunks(own_house, "pending")
        task = own_house.database.succeeded(message_id)
        result = own_house.sender.result("predict_field_documents", message_id)
        assert result == task["result"]
        assert (result["predictions_created"], result["num_missing"]) == (12, 0)
        assert predicted(own_house) == ids
        assert (task["attempts"], task["progress"], task["num_chunks"]) == (1, 100, 12)
        for group in groups:
            assert "predict_document_chunk" in group.log.read_text()

        before = chunks(own_house)
        rows = own_house.database.rows("SELECT * FROM prediction ORDER BY id")
        for chunk in before[:3]:
            own_house.send(chunk["type"], message_id=chunk["message_id"], **chunk["request"])
        own_house.wait_settled()
    assert chunks(own_house) == before
    assert own_house.database.rows("SELECT * FROM prediction ORDER BY id") == rows
    assert own_house.database.task(message_id) == task
    assert own_house.sender.dead_letters("prediction") == {}
    assert own_house.sender.dead_letters("bulk") == {}


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_chunk_costs_that_chunk_one_attempt(
    own_house: House,
) -> None:
    project = trained(own_house, slow=6)
    settings = {**QUICK, "PREDICTION__CHUNK_SIZE": "2"}
    with own_house.worker(settings, threads=1) as group:
        message_id = own_house.send_prediction(project, None)
        (running,) = wait_until(lambda: chunks(own_house, "started"), poll_s=0.01)
        wait_until(lambda: sandbox_children(group.process.pid), poll_s=0.01)
        os.killpg(group.process.pid, signal.SIGKILL)
        group.process.wait(60)
    with own_house.worker(settings):
        task = own_house.database.succeeded(message_id)
    assert (task["attempts"], task["crashes"]) == (1, 0)
    attempts = {chunk["id"]: (chunk["attempts"], chunk["crashes"]) for chunk in chunks(own_house)}
    assert attempts.pop(running["id"]) == (2, 1)
    assert set(attempts.values()) == {(1, 0)}
    assert predicted(own_house) == project.document_ids


@pytest.mark.slow
def test_a_redis_that_loses_its_data_in_the_middle_loses_no_chunk(own_house: House) -> None:
    project = trained(own_house, slow=6)
    with own_house.worker(QUICK, threads=1, PREDICTION__CHUNK_SIZE="1"):
        message_id = own_house.send_prediction(project, None)
        wait_until(lambda: len(chunks(own_house, "succeeded")) >= 2)
        assert chunks(own_house, "pending")
        own_house.sender.broker.client.flushall()

        task = own_house.database.succeeded(message_id)
    assert (task["attempts"], task["result"]["predictions_created"]) == (1, 12)
    assert {chunk["attempts"] for chunk in chunks(own_house)} == {1}
    assert predicted(own_house) == project.document_ids


@pytest.mark.slow
def test_a_large_prediction_that_is_cancelled_stops_everywhere(own_house: House) -> None:
    project = trained(own_house, slow=12)
    with own_house.worker(PREDICTION__CHUNK_SIZE="1") as group:
        message_id = own_house.send_prediction(project, None)
        wait_until(lambda: len(chunks(own_house, "started")) == 2, poll_s=0.01)

        cancelled = cancel(own_house, message_id)

        assert cancelled.status == "cancelled"
        wait_until(lambda: not chunks(own_house, "started"))
        wait_until(lambda: sandbox_children(group.process.pid) == [])
        done = chunks(own_house, "succeeded")
        assert len(chunks(own_house, "cancelled")) == 12 - len(done)
        assert predicted(own_house) == [chunk["request"]["documents"]["first"] for chunk in done]
        # The worker is none the worse for it.
        assert own_house.database.succeeded(
            own_house.send_prediction(project, project.document_ids[:1])
        )


@pytest.mark.slow
def test_a_chunk_that_fails_for_good_fails_the_task_for_everybody_who_asks(
    own_house: House,
) -> None:
    project = trained(own_house, slow=0)
    folder = own_house.storage / f"{project.project_id}/predictions/{project.field_id}/v1"
    # Where the history of one chunk should be there is something else.
    (folder / "bulk.0001.jsonl" / "in the way").mkdir(parents=True)
    with own_house.worker(PREDICTION__CHUNK_SIZE="4", RETRIES__MAX_ATTEMPTS="2"):
        own_house.send_prediction(project, None, message_id="bulk")
        task = own_house.database.failed("bulk")
        own_house.wait_settled()
        with pytest.raises(ResultFailure) as raised:
            own_house.sender.result("predict_field_documents", "bulk")
    assert task["error"]["code"] == "STORAGE_ERROR"
    assert "1 of 3 chunks failed" in task["error"]["message"]
    assert task["error"]["details"]["predictions_created"] == len(predicted(own_house)) == 8
    assert json.loads(raised.value.orig_exc_msg)["message"] == task["error"]["message"]
    assert own_house.sender.is_dead_letter("prediction", "bulk")
    assert own_house.sender.is_dead_letter("bulk", "bulk.0001")
    assert len(own_house.sender.dead_letters("prediction")) == 1
