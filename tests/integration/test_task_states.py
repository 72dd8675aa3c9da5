"""What a task's row looks like after each transition, from each state, whoever makes it."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks import cancelling, idle, starting, transitions
from lexiclass_core.tasks.errors import CancelRequested, LeaseLost, TaskFinished
from lexiclass_core.tasks.leases import Holder, Lease
from lexiclass_core.tasks.states import TASK
from tests.support.services import Workshop

ERROR = TaskError(code=ErrorCode.INTERNAL_ERROR, message="why")

# One that was never run, one that waits for its next attempt, one that waits for others, one whose
# worker died, one whose lease no worker can have taken, one that a worker holds, one that waits for
# chunks, and those that have ended.
LEASE = {"lease_owner": "box:7:a", "lease_token": 1, "attempts": 1, "started_at": "2020-01-01"}
FINAL: dict[str, Any] = {"attempts": 1, "lease_token": 1, "finished_at": "2020-01-01"}
STATES: dict[str, dict[str, Any]] = {
    "never run": {"status": "pending"},
    "retrying": {
        "status": "retrying", "attempts": 1, "next_attempt_at": "2040-01-01", "lease_token": 1,
    },
    "snoozed": {"status": "pending", "stage": "waiting", "next_attempt_at": "2040-01-01"},
    "dead": {"status": "started", "stage": "x", "lease_expires_at": "2020-01-01", **LEASE},
    "forged": {"status": "started", "stage": "x", "lease_expires_at": "infinity", **LEASE},
    "held": {"status": "started", "stage": "x", "lease_expires_at": "in a minute", **LEASE},
    "spread": {"status": "started", "stage": "predict", "num_chunks": 2, "lease_token": 1},
    **{status: {"status": status, **FINAL} for status in ("succeeded", "failed", "cancelled")},
}  # fmt: skip
IDLE = ("never run", "retrying", "snoozed", "dead", "forged", "spread")
OF_EACH_KIND = ("never run", "dead", "held", "succeeded")
UNDER_OWNER = ("dead", "forged", "held")
UNDER_LEASE = (*UNDER_OWNER, "spread")

Change = Callable[[AsyncSession, int], Awaitable[None]]


async def cancelled_by_the_client(session: AsyncSession, task_id: int) -> None:
    await cancelling.cancel(session, task_id)


async def cancelled_with_its_project(session: AsyncSession, task_id: int) -> None:
    await cancelling.cancel_all(session, 1, but=None)


async def cancelled_by_another_worker(session: AsyncSession, task_id: int) -> None:
    await _ask_to_end(session, task_id)
    await cancelling.cancel_requested(session, TASK.c.id == task_id)


async def cancelled_by_the_reconciler(session: AsyncSession, task_id: int) -> None:
    await _ask_to_end(session, task_id)
    await idle.cancel(session, await _seen(session))


async def failed_by_the_reconciler(session: AsyncSession, task_id: int) -> None:
    await idle.fail(session, await _seen(session), ERROR)


async def failed_by_the_reconciler_that_claimed_it(session: AsyncSession, task_id: int) -> None:
    for task in await idle.claim(session, await _seen(session)):
        await idle.fail_claimed(session, task.id, ERROR)


async def failed_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await transitions.fail(session, Lease(task_id, 1), ERROR, crashes=0)


async def cancelled_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await transitions.cancel(session, Lease(task_id, 1), ERROR)


async def done_by_its_worker(session: AsyncSession, task_id: int) -> None:
    await transitions.succeed(session, Lease(task_id, 1), {"n": 1})


async def retried(session: AsyncSession, task_id: int) -> None:
    await transitions.retry(session, Lease(task_id, 1), ERROR, delay_s=60, crashes=0)


async def snoozed(session: AsyncSession, task_id: int) -> None:
    await transitions.snooze(session, Lease(task_id, 1), delay_s=60, stage="waiting")


async def spread(session: AsyncSession, task_id: int) -> None:
    await transitions.fan_out(session, Lease(task_id, 1), num_chunks=3)


async def released(session: AsyncSession, task_id: int) -> None:
    await transitions.release(session, Lease(task_id, 1))


async def released_when_its_worker_ends(session: AsyncSession, task_id: int) -> None:
    assert await transitions.release_all(session, "box:7:b") == []
    assert await transitions.release_all(session, "box:7:a") in ([], [task_id])


async def started(session: AsyncSession, task_id: int) -> None:
    task = await session.get_one(Task, task_id)
    new = starting.NewTask(
        message_id=task.message_id, type=task.type, queue="indexing", project_id=task.project_id,
        request={}, correlation_id="c", queued_at=task.queued_at,
    )  # fmt: skip
    await starting.take(session, new, Holder(name="box:8:b", duration_s=60), max_attempts=3)


async def _ask_to_end(session: AsyncSession, task_id: int) -> None:
    task = await session.get_one(Task, task_id)
    task.cancel_requested_at = task.queued_at
    await session.flush()


async def _seen(session: AsyncSession) -> list[idle.IdleTask]:
    return await idle.idle_tasks(session, quiet_s=-1.0, page_size=10)


CANCELLED = (
    cancelled_by_the_client,
    cancelled_with_its_project,
    cancelled_by_another_worker,
    cancelled_by_the_reconciler,
)
FAILED = (failed_by_the_reconciler, failed_by_the_reconciler_that_claimed_it)
BY_ITS_WORKER = (
    failed_by_its_worker,
    cancelled_by_its_worker,
    done_by_its_worker,
    retried,
    snoozed,
    spread,
    released,
    released_when_its_worker_ends,
)
CHANGES: dict[Change, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(CANCELLED, ("cancelled", IDLE)),
    **dict.fromkeys(FAILED, ("failed", IDLE)),
    failed_by_its_worker: ("failed", UNDER_LEASE),
    cancelled_by_its_worker: ("cancelled", UNDER_LEASE),
    done_by_its_worker: ("succeeded", UNDER_LEASE),
    retried: ("retrying", UNDER_LEASE),
    snoozed: ("pending", UNDER_LEASE),
    spread: ("started", UNDER_LEASE),
    released: ("pending", UNDER_LEASE),
    released_when_its_worker_ends: ("pending", UNDER_OWNER),
    # What is not due yet, and what somebody holds, is not taken.
    started: ("started", ("never run", "dead", "forged", "spread")),
}
"""What each change comes to, and from which states it is made."""


async def add(workshop: Workshop, state: str) -> dict[str, Any]:
    values = {"message_id": "m", "type": "index_documents", "project_id": 1, **STATES[state]}
    written = ", ".join(
        "now() + interval '1 min'" if value == "in a minute" else f"'{value}'"
        for value in values.values()
    )
    return await workshop.row(
        f"INSERT INTO task ({', '.join(values)}) VALUES ({written}) RETURNING *"
    )


async def make(workshop: Workshop, change: Change, task_id: int) -> dict[str, Any]:
    async with workshop.sessions.begin() as session:
        with contextlib.suppress(LeaseLost, CancelRequested, TaskFinished):
            await change(session, task_id)
    return await workshop.row("SELECT * FROM task")


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    "state",
    [
        state if state in OF_EACH_KIND else pytest.param(state, marks=pytest.mark.slow)
        for state in STATES
    ],
)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_every_transition_from_every_state(
    workshop: Workshop, change: Change, state: str
) -> None:
    status, states = CHANGES[change]
    before = await add(workshop, state)

    after = await make(workshop, change, before["id"])

    if state not in states:
        # At most it is asked to end.
        assert differing(before, after) <= {"cancel_requested_at", "updated_at"}
        return
    assert after["status"] == status
    assert (after["finished_at"] is not None) == TaskStatus(status).is_final
    runs = change is started
    assert (after["lease_owner"] is not None) == (after["lease_expires_at"] is not None) == runs
    if TaskStatus(status).is_final:
        assert (after["stage"], after["next_attempt_at"]) == (None, None)
        assert (after["error"] is None) == (status == "succeeded")
        # Who ran it is in what happened to it.
        (event,) = await workshop.rows("SELECT * FROM task_event ORDER BY id DESC LIMIT 1")
        assert (event["event"], event["worker"]) == (status, before["lease_owner"])
    if change in (snoozed, spread, released, released_when_its_worker_ends):
        assert after["attempts"] == before["attempts"] - 1


@pytest.mark.parametrize("state", IDLE)
@pytest.mark.parametrize("changes", [CANCELLED, FAILED], ids=["cancelled", "failed"])
async def test_whoever_makes_it_leaves_the_same_row(
    workshop: Workshop, changes: tuple[Change, ...], state: str
) -> None:
    rows = []
    for change in changes:
        before = await add(workshop, state)
        after = await make(workshop, change, before["id"])
        clock = ("queued_at", "created_at", "updated_at", "finished_at", "cancel_requested_at")
        assert all(after[name] is not None for name in clock if change in CANCELLED)
        rows.append({name: after[name] for name in after if name not in ("id", *clock)})
        await workshop.execute("DELETE FROM task")
    assert rows == [rows[0]] * len(changes)


async def test_a_task_that_is_held_is_asked_to_end_and_keeps_its_lease(workshop: Workshop) -> None:
    before = await add(workshop, "held")
    for change in (cancelled_by_the_client, cancelled_by_another_worker):
        after = await make(workshop, change, before["id"])
        assert differing(before, after) == {"cancel_requested_at", "updated_at"}


@pytest.mark.parametrize("change", BY_ITS_WORKER, ids=lambda change: change.__name__)
async def test_what_is_to_be_cancelled_neither_succeeds_nor_waits(
    workshop: Workshop, change: Change
) -> None:
    row = await add(workshop, "held")
    async with workshop.sessions.begin() as session:
        await cancelling.cancel(session, row["id"])
    yields = {done_by_its_worker, snoozed, spread}
    async with workshop.sessions.begin() as session:
        if change in yields:
            with pytest.raises(CancelRequested):
                await change(session, row["id"])
        else:
            await change(session, row["id"])
    after = await workshop.row("SELECT * FROM task")
    assert (after["lease_owner"] is None) == (change not in yields)
