"""Tasks cancelled at each stage, with a worker at work."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from lexiclass_core.client import AsyncTaskClient, TaskFinished, TaskSnapshot
from lexiclass_core.models import TaskStatus
from tests.faults.conftest import Shared
from tests.support.house import House
from tests.support.measuring import Took
from tests.support.processes import wait_until_gone

T = TypeVar("T")


def ask(house: House, question: Callable[[AsyncTaskClient], Awaitable[T]]) -> T:
    """Use a client on a house."""

    async def run() -> T:
        async with AsyncTaskClient(
            database_uri=house.environment["DATABASE_URI"],
            broker_url=house.environment["DRAMATIQ__BROKER_URL"],
            namespace=house.environment["DRAMATIQ__NAMESPACE"],
        ) as client:
            return await question(client)

    return asyncio.run(run())


def cancel(house: House, message_id: str) -> TaskSnapshot:
    return ask(house, lambda client: client.cancel(message_id))


@pytest.mark.slow
def test_a_running_training_is_stopped(shared: Shared, took: Took) -> None:
    house = shared.house
    project = house.project(training=4, test=0)
    house.train(project)
    for document_id in project.training_ids:
        house.document_file(project, document_id).write_text("animals vehicles " * 500_000)
    message_id = house.send_training(project)
    child = house.training_process(project, shared.group)
    began = time.monotonic()

    asked = cancel(house, message_id)
    task = house.database.finished(message_id)

    wait_until_gone([child])
    took("cancel: to a cancelled row and the end of the child", time.monotonic() - began)
    assert asked.cancel_requested_at is not None
    assert (task["status"], task["error"]["code"], task["attempts"]) == (
        "cancelled",
        "CANCELLED",
        1,
    )
    versions = house.database.rows(
        "SELECT version, status, metrics FROM model WHERE field_id = :id ORDER BY version",
        id=project.field_id,
    )
    assert [(row["version"], row["status"]) for row in versions] == [(1, "ready"), (2, "failed")]
    assert versions[1]["metrics"]["error"]["code"] == "CANCELLED"
    assert not house.model_directory(project, 2).exists()
    house.wait_tidy()
    # What served before goes on serving.
    for document_id in project.training_ids:
        house.document_file(project, document_id).write_text("animals")
    prediction = house.database.succeeded(house.send_prediction(project, None))
    assert prediction["result"]["model_version"] == 1
    with pytest.raises(TaskFinished, match="is succeeded: it cannot be cancelled"):
        cancel(house, prediction["message_id"])


@pytest.mark.slow
def test_what_waits_is_cancelled_at_once_and_never_runs(own_house: House) -> None:
    """A task that is queued, and one that waits for its next attempt."""
    project, other = (own_house.project(training=2, test=0) for _ in range(2))
    (own_house.storage / str(other.project_id) / "models").write_text("in the way")
    queued = ask(own_house, lambda client: client.train(project.project_id, project.field_id))
    assert cancel(own_house, queued.message_id).status is TaskStatus.CANCELLED
    with own_house.worker(RETRIES__MIN_BACKOFF_S="4"):
        retried = own_house.send_training(other)
        waiting = own_house.database.wait_for_task(retried, "retrying")
        assert cancel(own_house, retried).status is TaskStatus.CANCELLED
        own_house.wait_settled()
    cancelled = own_house.database.task(retried)
    assert cancelled is not None
    assert (waiting["attempts"], cancelled["attempts"], cancelled["status"]) == (1, 1, "cancelled")
    row = own_house.database.task(queued.message_id)
    assert row is not None
    assert (row["status"], row["attempts"], row["started_at"]) == ("cancelled", 0, None)
    assert (
        own_house.database.rows("SELECT id FROM model WHERE field_id = :id", id=project.field_id)
        == []
    )
