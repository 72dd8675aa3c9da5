"""Tasks, messages and files that have come apart, on a real PostgreSQL and a real Redis."""

import asyncio
import json
import math
import os
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import DBAPIError

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_worker.cli.task_fields import fields_of, print_task
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.execution import reconciler as reconciler_module
from lexiclass_worker.execution.reconciler import Reconciler, ReconcilerReport
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.middleware.reconciliation import Reconciliation
from lexiclass_worker.repositories.locks import try_lock
from lexiclass_worker.setting_groups import ReconcilerSettings
from tests.support.database import stopped_halfway, until_closed
from tests.support.services import Workshop
from tests.support.workers import RawSender


async def add_task(workshop: Workshop, message_id: str, **values: Any) -> int:
    row = {"message_id": message_id, "type": "index_documents", **values}
    columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    return int(
        (await workshop.row(f"INSERT INTO task ({columns}) VALUES ({marks}) RETURNING id", **row))[
            "id"
        ]
    )


def queued(sender: RawSender, name: str = "indexing") -> list[Message[Any]]:
    client = sender.broker.client
    entries: Any = [
        client.hget(f"dramatiq:{name}.msgs", key)
        for key in client.lrange(f"dramatiq:{name}", 0, -1)
    ]
    return [Message.decode(entry) for entry in entries]


async def test_nothing_to_do_is_nothing_done(reconciler: Reconciler, workshop: Workshop) -> None:
    await add_task(workshop, "m", status="succeeded")

    assert await reconciler.run() == ReconcilerReport()
    assert not await reconciler.run(is_dry_run=True)


async def test_a_row_that_has_no_message_is_sent_with_all_it_says(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    """As a client leaves it that cannot reach Redis, or another program's INSERT."""
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, request, correlation_id) VALUES "
        "('m', 'train_field_model', 7, '{\"project_id\": 7, \"field_id\": 3}', 'theirs')"
    )

    dry = await reconciler.run(is_dry_run=True)
    assert queued(sender, "training") == []
    assert dry == await reconciler.run()

    (message,) = queued(sender, "training")
    assert (message.message_id, message.actor_name) == ("m", "train_field_model")
    assert message.kwargs == {"project_id": 7, "field_id": 3}
    assert message.options["correlation_id"] == "theirs"
    assert await reconciler.run() == ReconcilerReport()
    assert len(queued(sender, "training")) == 1


async def test_what_is_sent_again_keeps_its_place_in_the_order(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    queued_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await add_task(workshop, "m", priority=-7, queued_at=queued_at)

    assert await reconciler.run()

    (message,) = queued(sender)
    assert message.options["priority"] == -7
    assert message.message_timestamp == queued_at.timestamp() * 1000


async def test_a_message_that_is_somewhere_is_left_alone(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    for message_id in ("waits", "delayed", "fetched"):
        await add_task(workshop, message_id)
    client = sender.broker
    sender.send("index_documents", message_id="fetched", project_id=1)
    assert len(RedisBroker(client=client.client).do_fetch("indexing", 10)) == 1
    sender.send("index_documents", message_id="waits", project_id=1)
    client.enqueue(sender.message("index_documents", message_id="delayed"), delay=60_000)
    before = sender.size("indexing")

    assert await reconciler.run() == ReconcilerReport()
    assert sender.size("indexing") == before


async def test_a_message_that_no_worker_will_ever_get_is_sent_again(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    """Its content is there, but it is in no queue and in nobody's hands."""
    task_id = await add_task(workshop, "stranded")
    sender.send("index_documents", message_id="stranded", project_id=1)
    sender.broker.client.delete("dramatiq:indexing")

    assert (await reconciler.run()).sent == [task_id]
    assert [message.message_id for message in queued(sender)] == ["stranded"]


async def test_what_is_new_runs_or_is_final_is_left_alone(
    workshop: Workshop, reconciler: Reconciler, sender: RawSender
) -> None:
    patient = Reconciler(
        sessions=workshop.sessions,
        messages=reconciler.messages,
        send=reconciler.send,
        storage=workshop.storage,
        settings=ReconcilerSettings(interval_s=60, orphan_age_s=0),
    )
    later = datetime.now(UTC) + timedelta(seconds=60)
    await add_task(workshop, "runs", status="started", lease_expires_at=later, lease_owner="w")
    for status in ("succeeded", "failed", "cancelled"):
        await add_task(workshop, status, status=status)
    assert await reconciler.run() == ReconcilerReport()
    await add_task(workshop, "new")

    assert await patient.run() == ReconcilerReport()
    assert queued(sender) == []


async def test_a_task_whose_worker_is_gone_with_its_message_is_sent_again(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    task_id = await add_task(
        workshop, "m", status="started", lease_expires_at=past, lease_owner="w", attempts=1
    )

    assert (await reconciler.run()).sent == [task_id]
    assert [message.message_id for message in queued(sender)] == ["m"]


@pytest.mark.parametrize(
    ("status", "column"), [("retrying", "next_attempt_at"), ("pending", "not_before")]
)
async def test_what_is_not_due_is_sent_for_when_it_is(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender, status: str, column: str
) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    await add_task(workshop, "m", status=status, **{column: due})

    await reconciler.run()

    assert queued(sender) == []
    (entry,) = sender.broker.client.hvals("dramatiq:indexing.DQ.msgs")
    eta = json.loads(entry)["options"]["eta"]
    assert abs(eta / 1000 - due.timestamp()) < 5
    assert await reconciler.run() == ReconcilerReport()


async def test_what_cannot_run_is_closed_and_says_why(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    dead = await add_task(workshop, "dead")
    unknown = await add_task(workshop, "unknown", type="bake_bread")
    unwanted = await add_task(workshop, "unwanted", cancel_requested_at=datetime.now(UTC))
    sender.send("index_documents", message_id="dead")
    broker = RedisBroker(client=sender.broker.client)
    (entry,) = broker.do_fetch("indexing", 1)
    broker.do_nack("indexing", json.loads(entry)["options"]["redis_message_id"])

    dry = await reconciler.run(is_dry_run=True)
    report = await reconciler.run()

    assert report == dry == ReconcilerReport(failed=[dead, unknown], cancelled=[unwanted])
    rows = await workshop.rows("SELECT status, error, finished_at FROM task ORDER BY id")
    assert [(row["status"], row["error"]["code"]) for row in rows] == [
        ("failed", "INTERNAL_ERROR"), ("failed", "VALIDATION_ERROR"), ("cancelled", "CANCELLED"),
    ]  # fmt: skip
    assert "lacks this actor" in rows[0]["error"]["message"]
    assert "dead-letters replay" in rows[0]["error"]["message"]
    assert all(row["finished_at"] is not None for row in rows)
    assert queued(sender) == []


@pytest.mark.slow
async def test_thousands_of_tasks_are_sent_once_while_two_reconcile(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender
) -> None:
    await workshop.execute(
        "INSERT INTO task (message_id, type) "
        "SELECT 'm' || n, 'index_documents' FROM generate_series(1, 6000) AS n"
    )
    for n in range(1, 1001):
        sender.send("index_documents", message_id=f"m{n}", project_id=1)
    reports = await asyncio.gather(reconciler.run(), reconciler.run())

    assert sorted(task for report in reports for task in report.sent) == list(range(1001, 6001))
    assert len({message.message_id for message in queued(sender)}) == 6000
    assert len(queued(sender)) == 6000


async def test_a_redis_that_is_away_is_no_reason_to_send(
    reconciler: Reconciler, workshop: Workshop
) -> None:
    await add_task(workshop, "m")
    with redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)) as away:
        blind = Reconciler(
            sessions=workshop.sessions,
            messages=MessageStore(away, "dramatiq"),
            send=reconciler.send,
            storage=workshop.storage,
            settings=reconciler.settings,
        )
        with pytest.raises(redis.RedisError):
            await blind.run()

    assert len((await reconciler.run()).sent) == 1


# What tasks leave behind


async def test_a_version_whose_training_was_given_up_is_failed_with_its_reason(
    reconciler: Reconciler, workshop: Workshop
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.execute("UPDATE project SET model_status = 'training'")
    await workshop.execute(
        "INSERT INTO model (field_id, version, message_id) "
        "VALUES (:f, 1, 'ended'), (:f, 2, 'runs'), (:f, 3, 'by hand')",
        f=project.field_id,
    )
    error = '{"code": "CRASHED", "message": "x"}'
    for message_id, status in (("ended", "failed"), ("runs", "pending")):
        await workshop.execute(
            "INSERT INTO task (message_id, type, project_id, status, error, not_before) VALUES "
            "(:m, 'train_field_model', :p, :s, CAST(:e AS jsonb), now() + interval '1 hour')",
            m=message_id, p=project.project_id, s=status, e=error,
        )  # fmt: skip

    report = await reconciler.run()

    rows = await workshop.rows("SELECT status, metrics FROM model ORDER BY version")
    assert [row["status"] for row in rows] == ["failed", "training", "training"]
    assert rows[0]["metrics"]["error"]["code"] == "CRASHED"
    assert len(report.versions) == 1
    assert (await workshop.row("SELECT model_status FROM project"))["model_status"] == "training"


@pytest.mark.parametrize(
    ("has_any", "becomes"), [(True, ("ready", "indexed")), (False, ("failed", "failed"))]
)
async def test_a_project_says_what_is_left_when_its_last_tasks_were_given_up(
    reconciler: Reconciler, workshop: Workshop, has_any: bool, becomes: tuple[str, str]
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.execute(
        "UPDATE project SET model_status = 'training', index_status = 'indexing'"
    )
    if has_any:
        await workshop.execute("UPDATE document SET index_status = 'indexed'")
        await workshop.execute(
            "INSERT INTO model (field_id, version, status) VALUES (:f, 1, 'ready')",
            f=project.field_id,
        )
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, status, finished_at) VALUES "
        "('t', 'train_field_model', :p, 'failed', now()), "
        "('i', 'index_documents', :p, 'cancelled', now())",
        p=project.project_id,
    )

    await reconciler.run()

    row = await workshop.row("SELECT model_status, index_status FROM project")
    assert (row["model_status"], row["index_status"]) == becomes


async def test_files_of_failed_versions_and_old_work_are_removed_and_nothing_else(
    reconciler: Reconciler, workshop: Workshop
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    for version, status in ((2, "failed"), (3, "training")):
        await workshop.execute(
            "INSERT INTO model (field_id, version, status, message_id) VALUES (:f, :v, :s, :m)",
            f=project.field_id, v=version, s=status, m=f"m{version}",
        )  # fmt: skip
        workshop.model(project, version).mkdir()
    left = workshop.path / ".scratch" / "left"
    left.mkdir()
    os.utime(left, (0, 0))

    dry = await reconciler.run(is_dry_run=True)
    assert left.exists()
    assert workshop.model(project, 2).exists()
    again = Reconciler(
        sessions=workshop.sessions,
        messages=reconciler.messages,
        send=reconciler.send,
        storage=workshop.storage,
        settings=reconciler.settings,
    )

    report = await again.run()

    assert report.removed == dry.removed == [str(left), str(workshop.model(project, 2))]
    assert [workshop.model(project, version).exists() for version in (1, 2, 3)] == [
        True, False, True,
    ]  # fmt: skip
    assert not left.exists()
    assert not await again.run()


# One at a time


async def test_one_process_at_a_time_has_the_office(sessions: SessionFactory) -> None:
    async with try_lock(sessions, "x", silence_s=60) as first:
        assert first is not None
        async with try_lock(sessions, "x", silence_s=60) as second:
            assert second is None
        await first.confirm()
    async with try_lock(sessions, "x", silence_s=60) as third:
        assert third is not None


async def test_an_office_is_lost_by_silence(sessions: SessionFactory) -> None:
    async def hold_in_silence() -> None:
        async with try_lock(sessions, "x", silence_s=0.2) as first:
            assert first is not None
            async with asyncio.timeout(60):
                while not await can_be_had():
                    await asyncio.sleep(0.05)
            await first.confirm()

    async def can_be_had() -> bool:
        async with try_lock(sessions, "x", silence_s=60) as second:
            return second is not None

    with pytest.raises(DBAPIError):
        await hold_in_silence()


@pytest.mark.slow
async def test_a_session_that_stopped_between_two_steps_of_a_statement_loses_its_locks(
    reconciler: Reconciler, workshop: Workshop, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL takes it for active: the timeout for idle transactions does not end it."""
    monkeypatch.setattr(reconciler_module, "_SHORTEST_SILENCE_S", 1.0)
    task_id = await add_task(workshop, "m")
    stopped = await stopped_halfway(database_uri, "UPDATE task SET progress = 1")
    await asyncio.sleep(1.2)
    (pid,) = (await reconciler.run(is_dry_run=True)).disconnected

    report = await reconciler.run()
    assert report.disconnected == [pid]
    async with asyncio.timeout(60):
        await workshop.execute(f"UPDATE task SET progress = 2 WHERE id = {task_id}")
    await until_closed(stopped)
    assert (await reconciler.run()).disconnected == []


@pytest.mark.slow
async def test_a_process_that_is_not_elected_frees_what_the_elected_one_may_keep_locked(
    reconciler: Reconciler, workshop: Workshop, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler_module, "_SHORTEST_SILENCE_S", 1.0)
    await add_task(workshop, "m")
    settings = workshop.settings
    other = Reconciliation(settings, Database(settings), workshop.storage)
    async with try_lock(workshop.sessions, "reconciler", silence_s=60) as elected:
        assert elected is not None
        stopped = await stopped_halfway(database_uri, "UPDATE task SET progress = 1")
        await asyncio.sleep(1.2)

        await other._lead(workshop.sessions, reconciler)

        async with asyncio.timeout(60):
            await workshop.execute("UPDATE task SET progress = 2")
        await elected.confirm()
    await until_closed(stopped)


# As SQL, for no driver would send some of them.
ODD_ROWS: dict[str, tuple[dict[str, str], str | None]] = {
    "never": ({"not_before": "'infinity'"}, "not_before is infinite"),
    "in the year 20000": ({"not_before": "'20000-01-01'"}, "not_before is infinite"),
    "retrying never": (
        {"status": "'retrying'", "next_attempt_at": "'infinity'"}, "next_attempt_at is infinite"
    ),
    "before Christ": ({"not_before": "'0044-03-15 BC'", "queued_at": "'-infinity'"}, None),
    "queued in the year 20000": ({"queued_at": "'20000-01-01'"}, None),
    "changed before Christ": ({"updated_at": "'-infinity'"}, None),
    "deep": (
        {"request": "(repeat('[', 3000) || repeat(']', 3000))::jsonb"}, "more than 100 levels"
    ),
    "rather deep": (
        {"request": "(repeat('{\"a\":', 150) || '1' || repeat('}', 150))::jsonb"},
        "more than 100 levels",
    ),
    "long number": (
        {"request": "('{\"project_id\": ' || repeat('9', 5000) || '}')::jsonb"}, "more digits"
    ),
    "large number": ({"request": "'{\"project_id\": 1e4000}'::jsonb"}, None),
    "infinite number": ({"request": "'{\"a\": 1.5e4000}'::jsonb"}, None),
    "no request": ({"request": "'null'::jsonb"}, "request is a NoneType"),
    "a list": ({"request": "'[1]'::jsonb"}, "request is a list"),
    "large": (
        {"request": "jsonb_build_object('a', repeat('x', 17000000))"}, "DRAMATIQ__MESSAGE_BYTES"
    ),
    "no id": ({"message_id": "''"}, "message_id has 0 characters"),
    "long id": ({"message_id": "repeat('m', 600)"}, "message_id has 600 characters"),
    "long correlation": ({"correlation_id": "repeat('c', 600)"}, "correlation_id has more"),
    "odd numbers": ({"priority": "2147483647", "attempts": "-7", "crashes": "99"}, None),
    "odd texts": ({"queue": "'no such queue'", "stage": "E'a\\nb'"}, None),
    "a chunk of nothing": (
        {"type": "'predict_document_chunk'", "request": "'\"text\"'::jsonb"}, "request is a str"
    ),
}  # fmt: skip


async def add_odd(workshop: Workshop, values: dict[str, str]) -> int:
    given = {"message_id": f"'{uuid.uuid4()}'", "type": "'index_documents'", **values}
    async with workshop.sessions.begin() as session:
        connection = await session.connection()
        added = await connection.exec_driver_sql(
            f"INSERT INTO task ({', '.join(given)}) VALUES ({', '.join(given.values())}) "
            "RETURNING id"
        )
        return int(added.scalar_one())


@pytest.mark.slow_variants(6)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(*row, id=name, marks=[pytest.mark.slow] if name == "large" else [])
        for name, row in ODD_ROWS.items()
    ],
)
async def test_a_row_that_cannot_be_sent_is_closed_with_the_reason_and_holds_up_no_other(
    reconciler: Reconciler,
    workshop: Workshop,
    sender: RawSender,
    client: AsyncTaskClient,
    values: dict[str, str],
    reason: str | None,
) -> None:
    await add_task(workshop, "before")
    odd = await add_odd(workshop, values)
    await add_task(workshop, "after")

    report = await reconciler.run()

    ids = {message.message_id for message in queued(sender) + queued(sender, "bulk")}
    assert ids >= {"before", "after"}
    found = await client.status(odd)
    if reason is None:
        assert odd in report.sent
        assert found.message_id in ids
    else:
        assert report.failed == [odd]
        assert found.error is not None
        assert (found.status, found.error.code) == ("failed", "VALIDATION_ERROR")
        assert reason in found.error.message
    # Nor is it in the way of whoever lists tasks.
    assert {task.id for task in (await client.list()).tasks} >= {odd}
    print_task(fields_of(found))
    json.dumps(fields_of(found), default=str)
    assert (await reconciler.run()).failed == []


@pytest.mark.slow
async def test_any_number_of_odd_rows_in_any_order_holds_up_no_other(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender, client: AsyncTaskClient
) -> None:
    choose = random.Random(5)
    names = [*ODD_ROWS, *ODD_ROWS, *("good" for _ in range(40))]
    choose.shuffle(names)
    odd: dict[int, str | None] = {}
    good: set[str] = set()
    for name in names:
        if name == "good":
            good.add(f"good {len(good)}")
            await add_task(workshop, f"good {len(good) - 1}")
        elif "message_id" not in ODD_ROWS[name][0]:
            values, reason = ODD_ROWS[name]
            odd[await add_odd(workshop, values)] = reason

    report = await reconciler.run()

    assert sorted(report.failed) == sorted(task for task, reason in odd.items() if reason)
    assert {message.message_id for message in queued(sender)} >= good
    assert len(report.sent) == len(good) + sum(reason is None for reason in odd.values())
    listed = (await client.list(limit=500)).tasks
    assert {task.id for task in listed} >= odd.keys()
    assert {task.id for task in listed if task.status == "failed"} == set(report.failed)


@pytest.mark.parametrize(
    "change", [{"kwargs": {"project_id": 2}}, {"actor_name": "erase_documents"}]
)
async def test_a_dead_letter_with_the_id_of_a_task_that_is_not_its_message_closes_it_not(
    reconciler: Reconciler, workshop: Workshop, sender: RawSender, change: dict[str, Any]
) -> None:
    await workshop.execute(
        "INSERT INTO task (message_id, type, project_id, request) VALUES "
        "('m', 'index_documents', 1, '{\"project_id\": 1}')"
    )
    forged = {"queue_name": "indexing", "actor_name": "index_documents", "args": [],
              "kwargs": {"project_id": 1}, "options": {"redis_message_id": "k"},
              "message_id": "m", "message_timestamp": 1, **change}  # fmt: skip
    sender.broker.client.hset("dramatiq:indexing.XQ.msgs", "k", json.dumps(forged))
    sender.broker.client.zadd("dramatiq:indexing.XQ", {"k": math.inf})

    report = await reconciler.run()

    assert (len(report.sent), report.failed) == (1, [])
    assert [message.kwargs for message in queued(sender)] == [{"project_id": 1}]
