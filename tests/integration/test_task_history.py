"""What happens to a task is kept beside its row, whoever does it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.models import Task
from lexiclass_core.tasks import transitions
from lexiclass_core.tasks.cancelling import cancelled_where
from lexiclass_core.tasks.history import TaskHistoryEntry, history
from lexiclass_core.tasks.leases import Lease
from lexiclass_core.tasks.states import TASK
from lexiclass_worker.errors import (
    NoDocuments,
    SandboxCrashed,
    StorageUnavailable,
    WorkStopped,
)
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.delivery import Delivery
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from tests.support.deliveries import (
    Recorder,
    again,
    come_due,
    deliver,
    delivery,
    task_row,
)
from tests.support.services import Workshop


async def told(workshop: Workshop, message: Delivery) -> list[TaskHistoryEntry]:
    async with workshop.sessions() as session:
        row = await task_row(workshop, message)
        task = await session.get_one(Task, row["id"])
        return list(await history(session, task))


def outline(entries: list[TaskHistoryEntry]) -> list[tuple[str, int]]:
    return [(str(entry.event), entry.attempt) for entry in entries]


async def test_a_task_that_succeeds_tells_its_start_and_its_end(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    await deliver(workshop, Recorder(), message)

    entries = await told(workshop, message)
    assert outline(entries) == [("started", 1), ("succeeded", 1)]
    assert {entry.worker for entry in entries} == {workshop.keeper.holder.name}
    assert entries[0].at <= entries[1].at


async def test_after_a_success_it_is_still_known_why_there_were_more_attempts(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=1)
    service = Recorder(SandboxCrashed("the work was killed by SIGSEGV"), None)
    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)
    await come_due(workshop, message.message_id)
    await deliver(workshop, service, again(message))

    entries = await told(workshop, message)
    assert outline(entries) == [
        ("started", 1),
        ("retrying", 1),
        ("started", 2),
        ("succeeded", 2),
    ]
    error = entries[1].error
    assert error is not None
    assert (error.code, error.message) == ("CRASHED", "the work was killed by SIGSEGV")
    assert error.details["attempts"] == 1
    assert entries[1].delay_s is not None
    assert entries[1].delay_s > 0
    assert (await task_row(workshop, message))["error"] is None


async def test_an_attempt_whose_worker_died_is_told_with_its_traces(workshop: Workshop) -> None:
    message, begun = delivery(project_id=1), asyncio.Event()

    async def stall(task: TaskContext, request: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    run = asyncio.create_task(deliver(workshop, stall, message))
    async with asyncio.timeout(10):
        await begun.wait()
    await workshop.execute(
        "UPDATE task SET lease_expires_at = now() - interval '1 hour', lease_owner = 'box:7:a'"
    )
    await deliver(workshop, Recorder(), message)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)

    entries = await told(workshop, message)
    assert outline(entries) == [
        ("started", 1),
        ("lapsed", 1),
        ("started", 2),
        ("succeeded", 2),
    ]
    assert entries[1].worker == "box:7:a"
    assert entries[1].error is not None
    assert entries[1].error.code == "CRASHED"


@pytest.mark.parametrize(
    ("failure", "event"), [(NoDocuments("none"), "failed"), (WorkStopped("why"), "cancelled")]
)
async def test_a_task_that_fails_for_good_tells_the_error(
    workshop: Workshop, failure: Exception, event: str
) -> None:
    message = delivery(project_id=1)
    with pytest.raises(TaskFailed):
        await deliver(workshop, Recorder(failure), message)

    *_, last = await told(workshop, message)
    row = await task_row(workshop, message)
    assert (last.event, last.attempt) == (event, 1)
    assert last.error is not None
    assert last.error.model_dump() == row["error"]


async def test_a_wait_that_is_looked_at_often_is_one_entry(workshop: Workshop) -> None:
    message = delivery(project_id=1)

    async def waits(task: TaskContext, request: Any) -> Any:
        assert task.lease is not None
        async with workshop.sessions.begin() as session:
            await transitions.snooze(session, task.lease, delay_s=0.0, stage="waiting")
        raise Snooze("others run", delay_s=1.0)

    for _ in range(20):
        with pytest.raises(Snooze):
            await deliver(workshop, waits, message)
    await deliver(workshop, Recorder(), message)

    entries = await told(workshop, message)
    assert outline(entries) == [
        ("started", 1),
        ("deferred", 1),
        ("started", 1),
        ("succeeded", 1),
    ]
    assert [entry.times for entry in entries] == [1, 20, 1, 1]


async def test_so_is_a_disk_that_stays_full(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    begun = StorageUnavailable("full", details={"errno": 28})
    waits = StorageUnavailable("still full", details={"errno": 28}, is_begun=False)
    service = Recorder(begun, waits, waits, waits, None)
    for _ in range(4):
        with pytest.raises(RetryLater):
            await deliver(workshop, service, message)
        await come_due(workshop, message.message_id)
    await deliver(workshop, service, message)

    entries = await told(workshop, message)
    assert outline(entries) == [
        ("started", 1), ("retrying", 1), ("started", 2), ("retrying", 2), ("started", 2),
        ("succeeded", 2),
    ]  # fmt: skip
    assert [entry.times for entry in entries] == [1, 1, 1, 3, 1, 1]
    assert entries[3].error is not None
    assert entries[3].error.message == "still full"


async def test_a_shutdown_and_a_cancellation_are_told(workshop: Workshop) -> None:
    message = delivery(project_id=1)

    async def interrupted(task: TaskContext, request: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await deliver(workshop, interrupted, message)
    async with workshop.sessions.begin() as session:
        await session.execute(cancelled_where(TASK.c.message_id == message.message_id))

    entries = await told(workshop, message)
    assert outline(entries) == [("started", 1), ("released", 1), ("cancelled", 0)]
    assert entries[-1].worker is None
    assert entries[-1].error is not None
    assert entries[-1].error.code == "CANCELLED"


async def test_a_running_task_that_somebody_cancels_tells_that_it_was_asked_to_end(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=1)

    async def cancelled(task: TaskContext, request: Any) -> Any:
        async with workshop.sessions.begin() as session:
            await session.execute(cancelled_where(TASK.c.message_id == message.message_id))
        raise WorkStopped("cancelled on request while it ran")

    with pytest.raises(TaskFailed):
        await deliver(workshop, cancelled, message)
    assert outline(await told(workshop, message)) == [
        ("started", 1),
        ("cancel_requested", 1),
        ("cancelled", 1),
    ]


async def test_a_task_that_is_divided_tells_that_it_waits(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    await workshop.execute(
        "INSERT INTO task (message_id, type, status, attempts, lease_owner, lease_token) "
        "VALUES (:id, 'predict_field_documents', 'started', 1, 'box:7:a', 1)",
        id=message.message_id,
    )
    row = await task_row(workshop, message)
    async with workshop.sessions.begin() as session:
        await transitions.fan_out(session, Lease(row["id"], 1), num_chunks=3)
    assert outline(await told(workshop, message)) == [("started", 1), ("divided", 1)]


async def test_progress_and_renewed_leases_are_no_events(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    await workshop.execute(
        "INSERT INTO task (message_id, type, status, attempts, lease_owner, lease_token)"
        " VALUES (:id, 'index_documents', 'started', 1, 'box:7:a', 1)",
        id=message.message_id,
    )
    for change in ("progress = 40, stage = 'x'", "lease_expires_at = now()", "status = status"):
        await workshop.execute(f"UPDATE task SET {change}")
    assert outline(await told(workshop, message)) == [("started", 1)]


async def test_an_event_is_written_with_its_transition_or_not_at_all(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    await workshop.execute(
        "INSERT INTO task (message_id, type) VALUES (:id, 'index_documents')",
        id=message.message_id,
    )
    async with workshop.sessions() as session:
        await session.execute(text("UPDATE task SET status = 'failed'"))
        assert await session.scalar(text("SELECT count(*) FROM task_event")) == 1
        await session.rollback()
    assert await told(workshop, message) == []


async def test_what_is_told_goes_with_the_task(workshop: Workshop) -> None:
    await deliver(workshop, Recorder(), delivery(project_id=1))
    await workshop.execute("DELETE FROM task")
    assert await workshop.rows("SELECT * FROM task_event") == []
