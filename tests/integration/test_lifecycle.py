"""The life of a task against a real PostgreSQL: what its row says after each kind of end."""

import asyncio
import errno
import json
import math
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.schemas import (
    DeleteProject,
    IndexDocuments,
    IndexResult,
    Request,
    TrainFieldModel,
)
from lexiclass_worker.errors import DatabaseUnavailable, NoDocuments, StorageUnavailable
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.delivery import Delivery
from lexiclass_worker.execution.outcome import (
    MessageRefused,
    RetryLater,
    Snooze,
    TaskFailed,
)
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
from tests.support.jobs import SleepJob
from tests.support.services import Workshop


async def test_a_message_seen_for_the_first_time_gets_a_row(workshop: Workshop) -> None:
    message = delivery(project_id=7, locale="de")
    seen: list[dict[str, Any]] = []

    async def service(task: TaskContext, request: Request) -> IndexResult:
        assert task.message_id == message.message_id
        seen.append(await task_row(workshop, message))
        return index_result(7)

    result = await deliver(workshop, service, message)

    (during,) = seen
    assert (during["status"], during["attempts"]) == ("started", 1)
    assert (during["progress"], during["finished_at"]) == (0, None)
    assert (during["type"], during["project_id"]) == ("index_documents", 7)
    assert during["request"] == {"project_id": 7, "locale": "de"}
    assert during["correlation_id"] == message.correlation_id
    assert during["queued_at"] == message.sent_at
    assert during["max_attempts"] == 5
    row = await task_row(workshop, message)
    assert (row["status"], row["progress"], row["error"]) == ("succeeded", 100, None)
    assert row["result"] == result == index_result(7).model_dump(mode="json")
    assert row["started_at"] == during["started_at"] <= row["finished_at"]


async def test_a_row_written_by_the_client_is_the_messages_row(workshop: Workshop) -> None:
    message = delivery(project_id=7)
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, request, correlation_id) "
        "VALUES (:id, 'index_documents', 7, '{\"project_id\": 7}', 'theirs')",
        id=message.message_id,
    )

    await deliver(workshop, Recorder(), message)

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["correlation_id"]) == ("succeeded", 1, "theirs")


async def test_a_correlation_id_of_any_length_is_kept_as_far_as_it_can_be_found(
    workshop: Workshop,
) -> None:
    # What does not compress fits into no index.
    long = "".join(map(chr, range(0x4E00, 0x4E00 + 5_000)))
    message = replace(delivery(project_id=7), correlation_id=long)

    await deliver(workshop, Recorder(), message)

    row = await task_row(workshop, message)
    assert (row["status"], row["correlation_id"]) == ("succeeded", long[:500])


async def test_a_message_that_succeeded_is_not_run_again(workshop: Workshop) -> None:
    message, service = delivery(project_id=1), Recorder()
    first = await deliver(workshop, service, message)
    row = await task_row(workshop, message)

    second = await deliver(workshop, service, again(message))

    assert second == first
    assert len(service.runs) == 1
    assert await task_row(workshop, message) == row


async def test_a_message_that_failed_is_not_run_again(workshop: Workshop) -> None:
    message, service = delivery(project_id=1), Recorder(NoDocuments("none", details={"a": 1}), None)
    with pytest.raises(TaskFailed):
        await deliver(workshop, service, message)
    row = await task_row(workshop, message)

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, service, again(message))

    assert raised.value.error.model_dump() == row["error"]
    assert len(service.runs) == 1
    assert await task_row(workshop, message) == row


@pytest.mark.parametrize("error", [None, {"code": "CANCELLED", "message": "by an operator"}])
async def test_a_message_that_was_cancelled_never_runs(
    workshop: Workshop, error: dict[str, str] | None
) -> None:
    message, service = delivery(project_id=1), Recorder()
    await workshop.execute(
        "INSERT INTO task (message_id, type, status, error) "
        "VALUES (:id, 'index_documents', 'cancelled', CAST(:error AS jsonb))",
        id=message.message_id,
        error=None if error is None else json.dumps(error),
    )

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, service, message)

    assert raised.value.error.code == "CANCELLED"
    assert service.runs == []


async def test_a_permanent_error_fails_the_task_at_once(workshop: Workshop) -> None:
    message = delivery(project_id=1)

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, Recorder(NoDocuments("nothing here", details={"n": 3})), message)

    row = await task_row(workshop, message)
    assert row["status"] == "failed"
    assert row["error"] == {
        "code": "NO_DOCUMENTS",
        "message": "nothing here",
        "details": {"n": 3, "attempts": 1},
        "retryable": False,
    }
    assert raised.value.error.model_dump() == row["error"]
    assert row["finished_at"] is not None
    assert (row["result"], row["next_attempt_at"]) == (None, None)


async def test_a_transient_error_is_tried_again_later_and_later(workshop: Workshop) -> None:
    workshop.settings = with_limits(workshop.settings, max_attempts=4, min_backoff_s=10)
    message, service = delivery(project_id=1), Recorder(StorageUnavailable("disk full"))
    delays = []
    for attempt in (1, 2, 3):
        before = datetime.now(UTC)
        with pytest.raises(RetryLater) as raised:
            await deliver(workshop, service, message)
        delays.append(raised.value.delay_s)
        row = await task_row(workshop, message)
        assert (row["status"], row["attempts"], row["max_attempts"]) == ("retrying", attempt, 4)
        assert row["error"]["code"] == "STORAGE_ERROR"
        assert row["error"]["retryable"] is True
        assert row["error"]["details"]["attempts"] == attempt
        # Counted from the end of the attempt.
        wait = timedelta(seconds=raised.value.delay_s)
        assert before + wait <= row["next_attempt_at"] <= datetime.now(UTC) + wait
        assert row["finished_at"] is None
        await come_due(workshop, message.message_id)
        message = again(message)

    for attempt, delay in enumerate(delays):
        assert 5 * 2**attempt <= delay <= 10 * 2**attempt

    with pytest.raises(TaskFailed):
        await deliver(workshop, service, message)
    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["next_attempt_at"]) == ("failed", 4, None)
    assert row["error"]["details"]["attempts"] == 4
    assert len(service.runs) == 4


async def test_work_that_was_not_begun_for_lack_of_room_is_no_attempt(workshop: Workshop) -> None:
    workshop.settings = with_limits(workshop.settings, max_attempts=2, min_backoff_s=10)
    message = delivery(project_id=1)
    full = StorageUnavailable("make room", details={"errno": errno.ENOSPC}, is_begun=False)
    service = Recorder(*[full] * 5, None)
    for _ in range(5):
        with pytest.raises(RetryLater):
            await deliver(workshop, service, message)
        row = await task_row(workshop, message)
        assert (row["status"], row["attempts"]) == ("retrying", 0)
        assert row["error"]["message"] == "make room"
        await come_due(workshop, message.message_id)

    await deliver(workshop, service, again(message))

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["error"]) == ("succeeded", 1, None)


async def test_a_success_after_failures_leaves_no_error_behind(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    service = Recorder(DatabaseUnavailable("gone"), None)
    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)
    first = await task_row(workshop, message)

    await come_due(workshop, message.message_id)
    await deliver(workshop, service, again(message))

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["error"]) == ("succeeded", 2, None)
    assert row["started_at"] == first["started_at"]
    assert row["next_attempt_at"] is None


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], list[str]]] = [
    ("positional", (1, 2), {"project_id": 1}, ["2 positional"]),
    ("nothing", (), {}, ["project_id: Field required"]),
    ("unknown", (), {"project_id": 1, "projectid": 2}, ["projectid: Extra inputs"]),
    ("text for a number", (), {"project_id": "7"}, ["project_id: Input should be a valid integer"]),
    ("truth for a number", (), {"project_id": True}, ["project_id: "]),
    ("fraction", (), {"project_id": 1.0}, ["project_id: "]),
    ("zero", (), {"project_id": 0}, ["project_id: Input should be greater"]),
    ("more than a bigint", (), {"project_id": 2**63}, ["project_id: Input should be less"]),
    ("far more", (), {"project_id": 10**300}, ["project_id: Input should be less"]),
    ("null", (), {"project_id": None}, ["project_id: "]),
    ("list", (), {"project_id": [1]}, ["project_id: "]),
    (
        "everything at once",
        (),
        {"project_id": -1, "is_incremental": "yes", "tokenizer": "../x", "locale": 3, "x": 1},
        ["project_id: ", "is_incremental: ", "tokenizer: ", "locale: ", "x: "],
    ),
    ("NUL", (), {"project_id": 1, "documents_path": "a\0b"}, ["NUL"]),
    ("lone surrogate", (), {"project_id": 1, "documents_path": "\ud800"}, ["surrogate"]),
    ("NaN", (), {"project_id": float("nan")}, ["NaN"]),
]


@pytest.mark.parametrize(
    ("args", "kwargs", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_wrong_arguments_fail_with_a_row_that_names_every_problem(
    workshop: Workshop, args: tuple[Any, ...], kwargs: dict[str, Any], says: list[str]
) -> None:
    message, service = delivery(*args, **kwargs), Recorder()

    with pytest.raises(TaskFailed):
        await deliver(workshop, service, message)

    assert service.runs == []
    row = await task_row(workshop, message)
    assert (row["status"], row["error"]["code"]) == ("failed", "VALIDATION_ERROR")
    assert row["error"]["retryable"] is False
    for problem in says:
        assert problem in row["error"]["message"]
    project_id = kwargs.get("project_id")
    is_bigint = type(project_id) is int and abs(project_id) < 2**63
    assert row["project_id"] == (project_id if is_bigint else None)


async def test_arguments_are_told_apart_from_what_they_hold(workshop: Workshop) -> None:
    message = delivery(project_id=1, field_id=1, password="hunter2")

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, Recorder(), message, schema=TrainFieldModel)

    problem = {"argument": "password", "problem": "Extra inputs are not permitted"}
    assert raised.value.error.details["problems"] == [problem]
    assert "hunter2" not in raised.value.error.model_dump_json()


@pytest.mark.parametrize("message_id", ["a\0b", "\udc00", "x" * 501])
async def test_a_message_no_row_can_hold_fails_without_one(
    workshop: Workshop, message_id: str
) -> None:
    with pytest.raises(TaskFailed, match="message id cannot be recorded"):
        await deliver(workshop, Recorder(), delivery(message_id=message_id, project_id=1))

    assert await workshop.rows("SELECT * FROM task") == []


async def test_an_interrupted_task_is_pending_again_and_keeps_its_attempts(
    workshop: Workshop,
) -> None:
    message, began = delivery(project_id=1), asyncio.Event()

    async def service(task: TaskContext, request: Request) -> IndexResult:
        began.set()
        await asyncio.sleep(60)
        raise AssertionError

    for _ in range(3):  # more often than there are attempts to lose
        began.clear()
        run = asyncio.create_task(deliver(workshop, service, message))
        await began.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        row = await task_row(workshop, message)
        assert (row["status"], row["attempts"], row["started_at"]) == ("pending", 0, None)
        assert (row["error"], row["finished_at"], row["progress"]) == (None, None, 0)

    await deliver(workshop, Recorder(), message)
    assert (await task_row(workshop, message))["attempts"] == 1


async def test_an_interruption_of_a_second_attempt_keeps_the_first(workshop: Workshop) -> None:
    message = delivery(project_id=1)
    with pytest.raises(RetryLater):
        await deliver(workshop, Recorder(StorageUnavailable("x")), message)
    await come_due(workshop, message.message_id)
    first = await task_row(workshop, message)
    began = asyncio.Event()

    async def service(task: TaskContext, request: Request) -> IndexResult:
        began.set()
        await asyncio.sleep(60)
        raise AssertionError

    run = asyncio.create_task(deliver(workshop, service, message))
    await began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert row["started_at"] == first["started_at"]


async def test_the_time_limit_stops_the_work_and_fails_the_task(
    workshop: Workshop, tmp_path: Any
) -> None:
    workshop.settings = with_limits(workshop.settings, time_limit_s=0.6)
    message = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        # On a busy machine the child may not have begun when the time is up.
        task.progress.report("sleep", 0, 1)
        await task.sandbox.run(SleepJob(note=tmp_path / "pid"), on_progress=task.progress.report)
        raise AssertionError

    with pytest.raises(TaskFailed):
        await deliver(workshop, service, message)

    row = await task_row(workshop, message)
    assert row["error"]["code"] == "TIME_LIMIT"
    assert row["error"]["details"] == {"time_limit_s": 0.6, "stage": "sleep", "attempts": 1}
    assert "'sleep'" in row["error"]["message"]


async def test_progress_is_written_to_the_row_while_the_task_runs(workshop: Workshop) -> None:
    message = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        task.progress.plan({"read": 1, "write": 3})
        task.progress.report("read", 1, 1)
        task.progress.report("write", 1, 3)
        await workshop.until_there_is("SELECT 1 FROM task WHERE progress = 50 AND stage = 'write'")
        return index_result()

    await deliver(workshop, service, message)

    row = await task_row(workshop, message)
    assert (row["progress"], row["stage"]) == (100, None)


async def test_a_task_cancelled_by_hand_while_it_runs_stays_cancelled(workshop: Workshop) -> None:
    message = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        await workshop.execute("UPDATE task SET status = 'cancelled'")
        return index_result()

    with pytest.raises(TaskFailed, match="CANCELLED"):
        await deliver(workshop, service, message)

    row = await task_row(workshop, message)
    assert (row["status"], row["result"]) == ("cancelled", None)


async def test_a_database_that_is_away_loses_no_message_and_counts_no_attempt(
    workshop: Workshop, database_uri: str
) -> None:
    engine = create_engine(database_uri.rsplit("/", 1)[0] + "/no_such_database")
    away = replace(workshop, sessions=create_session_factory(engine))
    message, service = delivery(project_id=1), Recorder()

    delays = []
    for _ in range(12):  # far more often than there are attempts
        with pytest.raises(RetryLater) as raised:
            await deliver(away, service, message)
        assert raised.value.error.code == "DATABASE_ERROR"
        delays.append(raised.value.delay_s)
        message = again(message)
    await engine.dispose()

    assert delays[0] <= 2
    assert 128 <= delays[-1] <= 300
    assert service.runs == []
    await deliver(workshop, service, message)
    assert (await task_row(workshop, message))["attempts"] == 1


async def test_a_connection_lost_in_the_work_is_tried_again(workshop: Workshop) -> None:
    message: Delivery = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        async with task.sessions.begin() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise AssertionError

    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)

    row = await task_row(workshop, message)
    assert (row["status"], row["error"]["code"]) == ("retrying", "DATABASE_ERROR")


async def test_a_row_that_cannot_be_closed_is_closed_by_the_next_delivery(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        # From here on the rows cannot be written.
        await workshop.execute("ALTER TABLE task RENAME TO task_moved")
        raise NoDocuments("none")

    with pytest.raises(RetryLater) as raised:
        await deliver(workshop, service, message)
    assert raised.value.error.code == "NO_DOCUMENTS"
    await workshop.execute("ALTER TABLE task_moved RENAME TO task")

    with pytest.raises(TaskFailed):
        await deliver(workshop, Recorder(NoDocuments("none")), again(message))
    assert (await task_row(workshop, message))["status"] == "failed"


async def test_the_schema_decides_what_is_run(workshop: Workshop) -> None:
    message, service = delivery(project_id=3, locale="fr"), Recorder()

    await deliver(workshop, service, message)

    assert service.runs == [IndexDocuments(project_id=3, locale="fr")]


@pytest.mark.parametrize("has_run", [False, True])
async def test_a_task_does_not_run_before_it_is_due_by_the_clock_of_postgresql(
    workshop: Workshop, *, has_run: bool
) -> None:
    message, service = delivery(project_id=1), Recorder()
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, status, attempts, not_before) VALUES "
        "(:id, 'index_documents', 1, 'pending', :attempts, now() + interval '1 hour')",
        id=message.message_id,
        attempts=int(has_run),
    )

    # Its message has come: the clock of whoever took it is ahead.
    with pytest.raises(Snooze, match="is due in") as raised:
        await deliver(workshop, service, message)

    assert raised.value.delay_s == 60  # the longest
    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"], row["started_at"]) == ("pending", int(has_run), None)
    assert service.runs == []

    await workshop.execute(
        "UPDATE task SET not_before = now() WHERE message_id = :id", id=message.message_id
    )
    await deliver(workshop, service, message)

    row = await task_row(workshop, message)
    assert row["started_at"] >= row["not_before"]
    assert len(service.runs) == 1


async def test_a_second_message_does_not_cut_the_wait_after_a_failure_short(
    workshop: Workshop,
) -> None:
    workshop.settings = with_limits(workshop.settings, min_backoff_s=100)
    message, service = delivery(project_id=1), Recorder(StorageUnavailable("away"), None)
    with pytest.raises(RetryLater):
        await deliver(workshop, service, message)
    waiting = await task_row(workshop, message)

    with pytest.raises(Snooze, match="is due in") as raised:
        await deliver(workshop, service, message)

    assert 0 < raised.value.delay_s <= 60
    assert await task_row(workshop, message) == waiting
    await come_due(workshop, message.message_id)
    await deliver(workshop, service, again(message))
    assert (await task_row(workshop, message))["status"] == "succeeded"
    assert len(service.runs) == 2


async def test_a_task_that_is_due_in_days_is_looked_at_again_in_a_minute(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=1)
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, not_before) VALUES "
        "(:id, 'index_documents', 1, now() + interval '9 days')",
        id=message.message_id,
    )

    with pytest.raises(Snooze, match="is due in") as raised:
        await deliver(workshop, Recorder(), message)

    assert raised.value.delay_s == 60


async def row_of(workshop: Workshop, message: Delivery, status: str) -> dict[str, Any]:
    """A row that a client has written for a message of project 7, in some status."""
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, request, status, result) VALUES "
        '(:id, \'index_documents\', 7, \'{"project_id": 7, "locale": "de"}\', :status, '
        "CAST(:result AS jsonb))",
        id=message.message_id,
        status=status,
        result='{"secret": 1}' if status == "succeeded" else None,
    )
    return await task_row(workshop, message)


@pytest.mark.slow_variants(8)
@pytest.mark.parametrize("status", ["pending", "retrying", "succeeded", "failed", "cancelled"])
@pytest.mark.parametrize(
    "forged",
    [
        {"project_id": 8, "locale": "de"},
        {"project_id": 7, "locale": "en"},
        {"project_id": 7},
        {"project_id": 7, "locale": "de", "is_incremental": True},
        {"project_id": "7", "locale": "de"},
        {},
    ],
)
async def test_a_message_with_the_id_of_anothers_task_is_refused_and_the_row_untouched(
    workshop: Workshop, forged: dict[str, Any], status: str
) -> None:
    message, service = delivery(**forged), Recorder()
    before = await row_of(workshop, message, status)

    with pytest.raises(MessageRefused) as raised:
        await deliver(workshop, service, message)

    assert service.runs == []
    assert "secret" not in raised.value.error.model_dump_json()
    assert f"is that of task {before['id']}" in raised.value.error.message
    assert await task_row(workshop, message) == before


async def test_a_message_for_another_actor_with_the_id_of_a_task_is_refused(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=7, locale="de")
    before = await row_of(workshop, message, "pending")

    with pytest.raises(MessageRefused):
        await deliver(workshop, Recorder(), message, schema=DeleteProject)

    assert await task_row(workshop, message) == before


async def test_while_a_task_runs_another_message_of_its_id_learns_nothing_of_it(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=7)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        before = await task_row(workshop, message)
        with pytest.raises(MessageRefused):
            await deliver(workshop, Recorder(), replace(message, kwargs={"project_id": 8}))
        assert await task_row(workshop, message) == before
        return index_result(7)

    await deliver(workshop, service, message)

    assert (await task_row(workshop, message))["status"] == "succeeded"


async def test_a_second_message_of_a_task_that_runs_comes_back_within_seconds(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=7)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        with pytest.raises(Snooze, match="under the lease of") as raised:
            await deliver(workshop, Recorder(), message)
        assert raised.value.delay_s <= 5
        return index_result(7)

    await deliver(workshop, service, message)


async def test_what_a_row_of_another_program_leaves_out_its_message_says(
    workshop: Workshop,
) -> None:
    message = delivery(project_id=7, locale="de")
    await workshop.execute(
        "INSERT INTO task (message_id, type) VALUES (:id, 'index_documents')",
        id=message.message_id,
    )

    await deliver(workshop, Recorder(), message)

    row = await task_row(workshop, message)
    assert (row["status"], row["project_id"]) == ("succeeded", 7)
    assert row["request"] == {"project_id": 7, "locale": "de"}
    with pytest.raises(MessageRefused):
        await deliver(workshop, Recorder(), replace(message, kwargs={"project_id": 8}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"project_id": 7, "weight": 1e100, "more": [1.10, -0.0, 2**70, {"ä": "\u2028\U0001f600"}]},
        {"project_id": math.nan, "name": "a\0b\ud800"},
        {"project_id": 10**400},
    ],
)
async def test_a_message_that_comes_again_is_that_of_its_row_whatever_it_holds(
    workshop: Workshop, arguments: dict[str, Any]
) -> None:
    message = delivery(**arguments)
    for _ in range(2):
        with pytest.raises(TaskFailed) as raised:
            await deliver(workshop, Recorder(), again(message))
        assert not isinstance(raised.value, MessageRefused)


async def test_a_row_whose_counts_are_at_their_ends_is_taken(workshop: Workshop) -> None:
    message, service = delivery(project_id=7), Recorder()
    await workshop.execute(
        "INSERT INTO task (message_id, type, status, attempts, crashes, lease_token) VALUES "
        "(:id, 'index_documents', 'started', 2147483647, 2147483647, 9223372036854775807)",
        id=message.message_id,
    )

    with suppress(TaskFailed):
        await deliver(workshop, service, message)

    row = await workshop.row(
        "SELECT status FROM task WHERE message_id = :id", id=message.message_id
    )
    assert row["status"] in {"succeeded", "failed"}


@pytest.mark.parametrize("not_before", ["infinity", "20000-01-01", "0044-03-15 BC", "-infinity"])
async def test_a_row_of_any_moment_can_be_taken_or_waits(
    workshop: Workshop, not_before: str
) -> None:
    message, service = delivery(project_id=7), Recorder()
    await workshop.execute(
        "INSERT INTO task (message_id, type, not_before) VALUES "
        "(:id, 'index_documents', CAST(CAST(:moment AS text) AS timestamptz))",
        id=message.message_id,
        moment=not_before,
    )
    if not_before.endswith("BC") or not_before.startswith("-"):
        await deliver(workshop, service, message)
    else:
        with pytest.raises(Snooze, match="is due in") as raised:
            await deliver(workshop, service, message)
        assert raised.value.delay_s == 60


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({f"argument {number}": 1 for number in range(10**5)}, "100000 of the 100001 found"),
        ({"tokenizer_params": {f"p{n}": 1 for n in range(10**5)}}, "has 100000 fields"),
        ({"documents_path": ["x"] * 10**5}, "documents_path: Input should be a valid string"),
        ({"locale": "x" * 10**6}, "locale: String should have at most 64"),
    ],
)
async def test_a_request_with_a_hundred_thousand_mistakes_has_a_small_error(
    workshop: Workshop, arguments: dict[str, Any], reason: str
) -> None:
    message = delivery(project_id=1, **arguments)

    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, Recorder(), message)

    assert raised.value.error.code == "VALIDATION_ERROR"
    assert reason in raised.value.error.message
    row = await task_row(workshop, message)
    assert len(json.dumps(row["error"])) < 50_000
