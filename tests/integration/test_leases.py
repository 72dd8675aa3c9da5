"""Two workers and one task: leases, fences and crashes, against a real PostgreSQL."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text, true
from sqlalchemy.exc import DBAPIError

from lexiclass_core.schemas import IndexResult, PredictDocumentChunk, Request, Result
from lexiclass_core.tasks import chunks, leases, starting, transitions
from lexiclass_core.tasks.errors import LeaseLost
from lexiclass_core.tasks.leases import Lease
from lexiclass_worker.errors import NoDocuments, SandboxCrashed, StorageUnavailable
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.delivery import Delivery
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from tests.support.corpora import SmallProject
from tests.support.deliveries import (
    Recorder,
    again,
    come_due,
    deliver,
    delivery,
    index_result,
    task_row,
    with_limits,
)
from tests.support.services import Workshop, content_below


@pytest.fixture
async def other(workshop: Workshop) -> Any:
    """Another worker process."""
    keeper = LeaseKeeper(workshop.sessions, duration_s=15)
    yield keeper
    await keeper.close()


class Working:
    """A service that works until it is told to finish, and says how it was ended."""

    def __init__(self, result: Result | None = None) -> None:
        self.has_begun, self.may_finish = asyncio.Event(), asyncio.Event()
        self.was_cancelled = False
        self.lease: Lease | None = None

    async def __call__(self, task: TaskContext, request: Request) -> IndexResult:
        self.lease = task.lease
        self.has_begun.set()
        try:
            await self.may_finish.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return index_result(request.project_id)


async def lapse(workshop: Workshop) -> None:
    """As if the worker had not been heard of for long."""
    await workshop.execute(
        "UPDATE task SET lease_expires_at = now() - interval '1 second', lease_owner = 'gone'"
    )


async def start(workshop: Workshop, service: Any, message: Delivery) -> asyncio.Task[Any]:
    run = asyncio.create_task(deliver(workshop, service, message))
    async with asyncio.timeout(60):
        await service.has_begun.wait()
    return run


async def test_a_worker_that_ends_hands_back_what_it_did_not_wait_for_and_closes_nothing_twice(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    message, service = delivery(project_id=1), Working()
    run = await start(workshop, service, message)
    closing, closes = delivery(project_id=2), Working()
    its_end = await start(workshop, closes, closing)
    assert closes.lease is not None

    await other.hand_back()
    assert (await task_row(workshop, message))["status"] == "started"
    async with workshop.sessions.begin() as session:
        # As an attempt that commits its result at that moment.
        await leases.hold(session, closes.lease)
        await workshop.keeper.hand_back()
        assert (await task_row(workshop, closing))["status"] == "started"

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["lease_owner"]) == ("pending", 0, None)
    closes.may_finish.set()
    await its_end
    assert (await task_row(workshop, closing))["status"] == "succeeded"
    # What it does under the lease that it has no more, counts for nothing.
    service.may_finish.set()
    with pytest.raises(Snooze):
        await run
    assert (await task_row(workshop, message))["status"] == "pending"


async def test_a_running_task_has_a_lease_and_a_finished_one_has_none(workshop: Workshop) -> None:
    message, service = delivery(project_id=1), Working()
    run = await start(workshop, service, message)

    during = await task_row(workshop, message)
    assert during["lease_owner"] == workshop.keeper.holder.name
    assert during["lease_token"] == 1
    lasts = await workshop.row(
        "SELECT lease_expires_at BETWEEN now() AND now() + interval '15 s' AS is_short FROM task"
    )
    assert lasts["is_short"]
    assert (during["queue"], during["crashes"]) == ("indexing", 0)
    service.may_finish.set()
    await run

    after = await task_row(workshop, message)
    assert (after["lease_owner"], after["lease_expires_at"]) == (None, None)


async def test_a_message_whose_task_runs_elsewhere_comes_back_and_counts_no_attempt(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    message, service = delivery(project_id=1), Working()
    run = await start(workshop, service, message)
    before = await task_row(workshop, message)

    for keeper in (other, workshop.keeper):
        with pytest.raises(Snooze, match="under the lease of") as raised:
            await deliver(workshop, Recorder(), message, keeper=keeper)
        assert 1 <= raised.value.delay_s <= 15
    assert await task_row(workshop, message) == before
    service.may_finish.set()

    assert await run == await deliver(workshop, Recorder(), again(message), keeper=other)
    assert (await task_row(workshop, message))["attempts"] == 1


async def test_many_deliveries_at_once_run_once(workshop: Workshop) -> None:
    message, service = delivery(project_id=1), Recorder()

    endings = await asyncio.gather(
        *(deliver(workshop, service, message) for _ in range(6)), return_exceptions=True
    )

    assert len(service.runs) == 1
    assert all(isinstance(ending, dict | Snooze) for ending in endings)
    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"]) == ("succeeded", 1)
    assert len(await workshop.rows("SELECT * FROM task")) == 1


async def test_a_lease_is_renewed_while_the_work_goes_on(workshop: Workshop) -> None:
    workshop.keeper = LeaseKeeper(workshop.sessions, duration_s=3)
    message, service = delivery(project_id=1), Working()
    run = await start(workshop, service, message)
    first = (await task_row(workshop, message))["lease_expires_at"]
    async with asyncio.timeout(60):
        while (await task_row(workshop, message))["lease_expires_at"] <= first:
            await asyncio.sleep(0.05)

    with pytest.raises(Snooze, match="under the lease of"):
        await deliver(workshop, Recorder(), message)
    service.may_finish.set()
    await run
    await workshop.keeper.close()


async def test_a_lease_that_was_given_up_for_chunks_is_not_renewed(workshop: Workshop) -> None:
    """Nobody could go on with the task when its chunks have ended."""
    await workshop.execute(
        "INSERT INTO task (message_id, type, status, attempts, lease_owner, lease_token) "
        "VALUES ('m', 'predict_field_documents', 'started', 1, 'box:7:a', 1)"
    )
    lease = Lease((await workshop.row("SELECT id FROM task"))["id"], 1)
    for gives_up in (False, True):
        async with workshop.sessions.begin() as session:
            if gives_up:
                await transitions.fan_out(session, lease, num_chunks=3)
            await leases.check(session, [lease], renew_for_s=15)
        row = await workshop.row("SELECT lease_expires_at FROM task")
        assert (row["lease_expires_at"] is None) == gives_up


async def test_a_stalled_worker_whose_task_was_taken_over_changes_nothing(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    """It finishes after the other has: what it says then does not count."""
    message, stalled = delivery(project_id=1), Working()
    run = await start(workshop, stalled, message)
    await lapse(workshop)

    theirs = await deliver(workshop, Recorder(), message, keeper=other)
    row = await task_row(workshop, message)
    stalled.may_finish.set()

    assert await run == theirs
    assert await task_row(workshop, message) == row
    assert (row["status"], row["attempts"], row["crashes"]) == ("succeeded", 2, 1)


@pytest.mark.parametrize(
    "error", [NoDocuments("none"), StorageUnavailable("full"), ZeroDivisionError()], ids=repr
)
async def test_a_stalled_worker_that_fails_afterwards_changes_nothing(
    workshop: Workshop, other: LeaseKeeper, error: Exception
) -> None:
    message, theirs = delivery(project_id=1), Working()

    async def stalled(task: TaskContext, request: Request) -> IndexResult:
        await lapse(workshop)
        await deliver(workshop, Recorder(), message, keeper=other)
        raise error

    result = await deliver(workshop, stalled, message)

    row = await task_row(workshop, message)
    assert (row["status"], row["result"], row["error"]) == ("succeeded", result, None)
    assert not theirs.was_cancelled


async def test_a_worker_that_lost_its_lease_stops_its_work_and_waits_for_the_other(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    message, stalled, theirs = delivery(project_id=1), Working(), Working()
    run = await start(workshop, stalled, message)
    await lapse(workshop)
    second = asyncio.create_task(deliver(workshop, theirs, message, keeper=other))
    await theirs.has_begun.wait()

    # Noticed within about a second, without the work's help.
    with pytest.raises(Snooze, match="under the lease of"):
        await asyncio.wait_for(run, 60)

    assert stalled.was_cancelled
    row = await task_row(workshop, message)
    assert (row["status"], row["lease_owner"]) == ("started", other.holder.name)
    theirs.may_finish.set()
    assert await second == (await task_row(workshop, message))["result"]


async def test_a_process_takes_a_lease_of_its_own_back_at_once(workshop: Workshop) -> None:
    """Which it could not give back, because the database was away: that is no crash."""
    message = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        await workshop.execute("ALTER TABLE task RENAME TO task_moved")
        raise NoDocuments("none")

    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)
    await workshop.execute("ALTER TABLE task_moved RENAME TO task")
    await deliver(workshop, Recorder(), again(message))

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["crashes"]) == ("succeeded", 2, 0)


# Crashes


def new_task(message: Delivery) -> starting.NewTask:
    """The task of a message."""
    return starting.NewTask(
        message_id=message.message_id,
        type="index_documents",
        queue="indexing",
        project_id=1,
        request={},
        correlation_id="",
        queued_at=message.sent_at,
    )


async def die(workshop: Workshop, message: Delivery, *, stage: str | None = None) -> None:
    """Take a lease as a worker does, and be gone."""
    new = new_task(message)
    holder = leases.Holder(name="short-lived", duration_s=15)
    async with workshop.sessions.begin() as session:
        _, lease = await starting.take(session, new, holder, max_attempts=9)
    assert lease is not None
    await workshop.execute("UPDATE task SET stage = :stage, progress = 40", stage=stage)
    await lapse(workshop)


async def test_a_worker_that_died_leaves_its_traces_while_the_next_one_works(
    workshop: Workshop,
) -> None:
    message, service = delivery(project_id=1), Working()
    await die(workshop, message, stage="tokenize")
    run = await start(workshop, service, message)

    error = (await task_row(workshop, message))["error"]
    assert error["code"] == "CRASHED"
    assert "attempt 1, in stage 'tokenize'" in error["message"]
    assert error["details"] == {
        "worker": "gone", "stage": "tokenize", "progress": 40, "attempts": 1,
    }  # fmt: skip
    service.may_finish.set()
    await run
    row = await task_row(workshop, message)
    assert (row["status"], row["error"], row["attempts"], row["crashes"]) == (
        "succeeded", None, 2, 1,
    )  # fmt: skip


@pytest.mark.parametrize("max_crashes", [1, 3])
async def test_a_task_whose_workers_die_is_given_up_and_says_why(
    workshop: Workshop, max_crashes: int
) -> None:
    workshop.settings = with_limits(workshop.settings, max_crashes=max_crashes, max_attempts=9)
    message, service = delivery(project_id=1), Recorder()
    for _ in range(max_crashes):
        await die(workshop, message, stage="read")

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, service, message)

    assert (raised.value.error.code, service.runs) == ("CRASHED", [])
    row = await task_row(workshop, message)
    assert row["status"] == "failed"
    assert row["error"]["details"]["crashes"] == max_crashes
    assert row["error"]["details"]["last"]["stage"] == "read"
    assert "in stage 'read'" in row["error"]["message"]


async def test_more_attempts_than_allowed_are_given_up_without_a_crash_too(
    workshop: Workshop,
) -> None:
    workshop.settings = with_limits(workshop.settings, max_crashes=9, max_attempts=2)
    message, service = delivery(project_id=1), Recorder()
    for _ in range(2):
        await die(workshop, message)

    with pytest.raises(TaskFailed, match="none of the 2 attempts before this one"):
        await deliver(workshop, service, message)
    assert service.runs == []


async def test_crashes_of_the_process_that_does_the_work_count_too(workshop: Workshop) -> None:
    workshop.settings = with_limits(workshop.settings, max_crashes=2, max_attempts=9)
    message = delivery(project_id=1)
    service = Recorder(SandboxCrashed("killed by SIGKILL", details={"exit_code": -9}))
    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)
    assert (await task_row(workshop, message))["crashes"] == 1

    await come_due(workshop, message.message_id)
    with pytest.raises(TaskFailed):
        await deliver(workshop, service, again(message))

    row = await task_row(workshop, message)
    assert (row["status"], row["crashes"], row["attempts"]) == ("failed", 2, 2)
    assert row["error"]["details"] == {"exit_code": -9, "attempts": 2, "stage": ""}


# What services write


async def leave_behind(workshop: Workshop, context: TaskContext) -> None:
    """Another worker takes the context's task over."""
    await workshop.execute(
        "UPDATE task SET lease_token = lease_token + 1 WHERE message_id = :id",
        id=context.message_id,
    )


async def leased_context(workshop: Workshop) -> TaskContext:
    context = workshop.context()
    row = await workshop.row(
        "INSERT INTO task (message_id, type, status, lease_token, lease_expires_at) "
        "VALUES (:id, 'x', 'started', 7, now() + interval '1 minute') RETURNING id",
        id=context.message_id,
    )
    context.lease = Lease(row["id"], 7)
    return context


@pytest.fixture
async def trained(workshop: Workshop) -> SmallProject:
    project = await workshop.project(training=4, test=1)
    await workshop.train(project)
    return project


async def test_a_transaction_that_outlasts_the_lease_does_not_lose_it(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    """Nobody renews it meanwhile, for the transaction has the row: a million rows take a minute."""
    message, is_committed = delivery(project_id=1), asyncio.Event()
    taking: list[asyncio.Task[Any]] = []

    async def write_for_long(task: TaskContext, request: Request) -> IndexResult:
        async with task.commit() as session:
            await session.execute(
                text("UPDATE task SET lease_expires_at = clock_timestamp() - interval '1 second'")
            )
            taker = deliver(workshop, Recorder(), again(message), keeper=other)
            taking.append(asyncio.create_task(taker))
            await asyncio.sleep(1.1)
        # Whoever waited for the row has seen what it says now.
        with pytest.raises(Snooze, match="under the lease of"):
            await taking[0]
        is_committed.set()
        return index_result(request.project_id)

    await deliver(workshop, write_for_long, message)

    assert is_committed.is_set()
    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["crashes"]) == ("succeeded", 1, 0)


async def test_many_short_transactions_in_a_row_do_not_lose_the_lease(
    workshop: Workshop,
) -> None:
    """Whenever somebody would renew it, one of them has the row."""
    context = await leased_context(workshop)
    await workshop.execute("UPDATE task SET lease_expires_at = now() + interval '4 seconds'")
    for _ in range(5):
        async with context.commit() as session:
            await session.execute(text("SELECT pg_sleep(0.3)"))
    row = await workshop.row(
        "SELECT lease_expires_at > now() + interval '4 s' AS is_put_off FROM task"
    )
    assert row["is_put_off"]


async def test_a_task_that_writes_for_longer_than_its_lease_lasts_runs(workshop: Workshop) -> None:
    context = await leased_context(workshop)
    await workshop.execute("UPDATE task SET lease_expires_at = now() - interval '1 second'")

    async def running() -> list[int]:
        async with workshop.sessions.begin() as session:
            return await leases.running_tasks(session, true())

    assert context.lease is not None
    assert not await running()
    async with context.commit():
        assert await running() == [context.lease.task_id]
    assert not await running()


async def test_who_waited_while_a_task_was_divided_does_not_take_it_before_its_chunks_end(
    workshop: Workshop,
) -> None:
    """Its lease had lapsed, and the other waits for the row, with the chunks of before in mind."""
    message = delivery(project_id=1)
    new = new_task(message)
    first = leases.Holder(name="first", duration_s=15)
    second = leases.Holder(name="second", duration_s=15)
    async with workshop.sessions.begin() as session:
        task, lease = await starting.take(session, new, first, max_attempts=3)
    assert lease is not None
    await lapse(workshop)

    async def take() -> Lease | None:
        async with workshop.sessions.begin() as session:
            return (await starting.take(session, new, second, max_attempts=3))[1]

    async with workshop.sessions.begin() as session:
        await transitions.fan_out(session, lease, num_chunks=1)
        taking = asyncio.create_task(take())
        await workshop.until_there_is(
            "SELECT pid FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        chunk = PredictDocumentChunk(project_id=1, field_id=1, model_version=1, documents=[1])
        await chunks.add(session, task.id, [chunk])
    assert await taking is None
    row = await task_row(workshop, message)
    assert (row["status"], row["lease_owner"], row["attempts"]) == ("started", None, 0)

    await workshop.execute("UPDATE task SET status = 'succeeded' WHERE parent_id IS NOT NULL")
    assert await take() is not None


async def test_effects_and_the_end_of_the_task_are_one_transaction(
    workshop: Workshop, trained: SmallProject
) -> None:
    context = await leased_context(workshop)
    await workshop.predict(trained, context=context)

    assert context.is_closed
    row = await workshop.row("SELECT * FROM task")
    (prediction, *_) = await workshop.rows("SELECT xmin::text AS xmin FROM prediction")
    closed = await workshop.row("SELECT xmin::text AS xmin FROM task")
    assert prediction == closed
    assert (row["status"], row["result"]["total_documents"]) == ("succeeded", 15)


async def test_a_prediction_that_lost_its_lease_writes_neither_rows_nor_history(
    workshop: Workshop, trained: SmallProject
) -> None:
    context = await leased_context(workshop)
    await leave_behind(workshop, context)
    before = content_below(workshop.path)

    with pytest.raises(LeaseLost):
        await workshop.predict(trained, context=context)

    assert await workshop.rows("SELECT * FROM prediction") == []
    assert content_below(workshop.path) == before
    assert (await workshop.row("SELECT status FROM task"))["status"] == "started"


@pytest.mark.slow
async def test_a_training_that_lost_its_lease_leaves_the_others_files_and_version(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    loser = await leased_context(workshop)
    winner = workshop.context(loser.message_id)
    progress = loser.progress.report
    was_taken_over: list[asyncio.Task[bytes]] = []

    def take_over(stage: str, done: int, total: int) -> None:
        progress(stage, done, total)
        if not was_taken_over:
            was_taken_over.append(asyncio.create_task(win()))

    async def win() -> bytes:
        await leave_behind(workshop, loser)
        await workshop.train(project, context=winner, classifier_params={"C": 3.0})
        return content_below(workshop.model(project))

    loser.progress.report = take_over  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        await workshop.train(project, context=loser)

    (task,) = was_taken_over
    files = await task
    assert content_below(workshop.model(project)) == files
    assert await workshop.rows("SELECT version, status FROM model") == [
        {"version": 1, "status": "ready"}
    ]
    assert list(workshop.path.glob(".scratch/*")) == []


async def test_an_index_that_lost_its_lease_says_nothing_of_documents_or_project(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=2, test=0)
    context = await leased_context(workshop)
    await leave_behind(workshop, context)

    with pytest.raises(LeaseLost):
        await workshop.index(project, context=context)

    assert {row["index_status"] for row in await workshop.rows("SELECT * FROM document")} == {
        "pending"
    }
    assert (await workshop.row("SELECT index_status FROM project"))["index_status"] == "pending"


async def test_files_are_taken_back_when_the_rows_cannot_be_written(
    workshop: Workshop, trained: SmallProject
) -> None:
    before = content_below(workshop.path)
    await workshop.execute("ALTER TABLE prediction ADD CONSTRAINT none CHECK (false) NOT VALID")

    with pytest.raises(DBAPIError):
        await workshop.predict(trained)

    assert content_below(workshop.path) == before


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_a_final_row_never_changes(workshop: Workshop, status: str) -> None:
    await workshop.execute(
        "INSERT INTO task (message_id, type, status) VALUES ('m', 'x', :status)", status=status
    )

    for change in ("status = 'pending'", "result = '{}'", "error = '{}'"):
        with pytest.raises(DBAPIError, match=f"is {status}: it never changes again"):
            await workshop.execute(f"UPDATE task SET {change}")
    await workshop.execute("UPDATE task SET correlation_id = 'theirs'")
