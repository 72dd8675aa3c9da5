"""A task that comes to its end looks the same, whoever ended it and from where."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks.cancelling import cancelled_where
from lexiclass_worker.repositories import endings, reconciliation, tasks
from lexiclass_worker.repositories.leases import Lease
from tests.support.services import Workshop

ERROR = TaskError(code=ErrorCode.CANCELLED, message="why")
CLOSED = ("stage", "next_attempt_at", "lease_owner", "lease_expires_at")

# Columns of an open task: one that was never run, one that waits for its next attempt, one whose
# worker died, one that was put off, and one that a worker holds.
NEVER_RUN: dict[str, Any] = {"status": "pending"}
RETRYING = {"status": "retrying", "attempts": 1, "next_attempt_at": "2040-01-01", "lease_token": 1}
DEAD = {
    "status": "started", "stage": "classifier", "lease_owner": "box:7:a", "lease_token": 1,
    "lease_expires_at": "2020-01-01", "attempts": 1,
}  # fmt: skip
PUT_OFF = {"status": "pending", "stage": "waiting", "next_attempt_at": "2040-01-01"}
HELD = {**DEAD, "lease_expires_at": "2040-01-01"}

Ending = Callable[[AsyncSession, int], Awaitable[object]]


async def cancelled_by_the_client(session: AsyncSession, task_id: int) -> None:
    await session.execute(cancelled_where(Task.id == task_id))


async def cancelled_by_a_worker(session: AsyncSession, task_id: int) -> None:
    task = await session.get_one(Task, task_id)
    task.cancel_requested_at = task.queued_at
    await session.flush()
    assert await tasks.cancel_idle(session, task_id) is not None


async def failed_by_the_reconciler(session: AsyncSession, task_id: int) -> None:
    (seen,) = await reconciliation.idle_tasks(session, quiet_s=-1.0, page_size=10)
    assert await reconciliation.close(session, [seen], TaskStatus.FAILED, ERROR) == [task_id]


async def failed_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await endings.fail(session, Lease(task_id, 1), ERROR, crashes=0)


async def cancelled_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await endings.cancel(session, Lease(task_id, 1), ERROR)


async def done_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await endings.succeed(session, Lease(task_id, 1), {"n": 1})


IDLE = (NEVER_RUN, RETRYING, DEAD, PUT_OFF)
BY_ANYBODY = (cancelled_by_the_client, cancelled_by_a_worker, failed_by_the_reconciler)
BY_ITS_WORKER = (failed_by_its_worker, cancelled_by_its_worker, done_by_its_worker)


@pytest.mark.parametrize(
    ("before", "ending"),
    [
        *((before, ending) for before in IDLE for ending in BY_ANYBODY),
        *((HELD, ending) for ending in BY_ITS_WORKER),
    ],
)
async def test_a_task_that_ends_has_no_lease_stage_or_next_attempt(
    workshop: Workshop, before: dict[str, Any], ending: Ending
) -> None:
    values = {"message_id": "m", "type": "index_documents", **before}
    written = ", ".join(f"'{value}'" for value in values.values())
    row = await workshop.row(
        f"INSERT INTO task ({', '.join(values)}) VALUES ({written}) RETURNING id"
    )

    async with workshop.sessions.begin() as session:
        await ending(session, row["id"])

    after = await workshop.row("SELECT * FROM task")
    assert TaskStatus(after["status"]).is_final
    assert {name: after[name] for name in CLOSED} == dict.fromkeys(CLOSED)
    assert after["finished_at"] is not None
    assert (after["error"] is None) == (after["status"] == "succeeded")
    # Who ran it is in what happened to it.
    (event,) = await workshop.rows("SELECT * FROM task_event ORDER BY id DESC LIMIT 1")
    assert (event["event"], event["worker"]) == (after["status"], before.get("lease_owner"))


async def test_a_task_that_is_held_is_asked_to_end_and_keeps_its_lease(workshop: Workshop) -> None:
    written = ", ".join(f"'{value}'" for value in HELD.values())
    row = await workshop.row(
        f"INSERT INTO task (message_id, type, {', '.join(HELD)}) "
        f"VALUES ('m', 'index_documents', {written}) RETURNING *"
    )
    async with workshop.sessions.begin() as session:
        await cancelled_by_the_client(session, row["id"])
        assert await tasks.cancel_idle(session, row["id"]) is None
    after = await workshop.row("SELECT * FROM task")
    changed = {name for name in row if after[name] != row[name]}
    assert changed == {"cancel_requested_at", "updated_at"}
