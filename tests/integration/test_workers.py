"""Workers register: who is there, what they run, and what it says of leases that lapsed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient, Hindrance, WorkerSnapshot
from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_core.workers import hindrance, list_workers, listeners
from lexiclass_worker.errors import DatabaseUnavailable
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.execution.outcome import RetryLater
from lexiclass_worker.execution.worker_row import WorkerRow
from lexiclass_worker.repositories.workers import Identity, remove_silent
from tests.support.commands import Run
from tests.support.database import Database
from tests.support.deliveries import Recorder, again, deliver, delivery, task_row
from tests.support.services import Workshop

SILENT = "UPDATE worker SET seen_at = clock_timestamp() - interval '21 s'"


def identity(name: str = "host:2:a", **changes: Any) -> Identity:
    usual = Identity(
        name=name,
        host="host",
        pid=2,
        group_pid=1,
        queues=["training", "indexing"],
        threads=2,
        version="0.1.0",
    )
    return replace(usual, **changes)


async def test_a_worker_is_listed_from_its_first_word_until_it_leaves(workshop: Workshop) -> None:
    registry = WorkerRow(workshop.sessions, identity())
    for _ in range(2):
        await registry.beat()
    async with workshop.sessions() as session:
        (worker,) = await list_workers(session)
        assert await listeners(session) == {"training": 1, "indexing": 1}
    assert (worker.host, worker.pid, worker.is_silent) == ("host", 2, False)
    assert worker.queues == ["indexing", "training"]
    assert worker.seen_at > worker.started_at

    await registry.leave()
    async with workshop.sessions() as session:
        assert await list_workers(session) == []


async def test_what_a_worker_runs_is_read_from_the_leases(
    workshop: Workshop, client: AsyncTaskClient
) -> None:
    await WorkerRow(workshop.sessions, identity(workshop.keeper.name)).beat()
    listed: list[WorkerSnapshot] = []

    async def service(task: TaskContext, request: Any) -> Any:
        listed.extend(await client.workers())
        return await Recorder()(task, request)

    await deliver(workshop, service, delivery(project_id=7))

    (running,) = listed[0].running
    assert (running.type, running.project_id) == ("index_documents", 7)
    (worker,) = await client.workers()
    assert worker.running == []


async def test_what_a_worker_that_died_has_left_is_listed_until_another_takes_it(
    workshop: Workshop, client: AsyncTaskClient, other: LeaseKeeper
) -> None:
    await WorkerRow(workshop.sessions, identity(workshop.keeper.name)).beat()
    message = delivery(project_id=7)
    await leave_in_hand(workshop, message, workshop.keeper)
    await workshop.execute(SILENT)

    (worker,) = await client.workers()

    assert worker.is_silent
    assert [task.type for task in worker.running] == ["index_documents"]
    await deliver(workshop, Recorder(), message, keeper=other)
    assert (await client.workers())[0].running == []


async def test_one_that_says_nothing_is_silent_then_removed_and_comes_back(
    workshop: Workshop,
) -> None:
    registry = WorkerRow(workshop.sessions, identity())
    await registry.beat()
    await workshop.execute(SILENT)
    async with workshop.sessions.begin() as session:
        (worker,) = await list_workers(session)
        assert worker.is_silent
        assert await listeners(session) == {}
        assert await remove_silent(session, silence_s=60) == []
        assert await remove_silent(session, silence_s=20) == [worker.name]

    await registry.beat()
    async with workshop.sessions() as session:
        assert len(await list_workers(session)) == 1


async def test_a_task_that_waits_says_what_hinders_it(
    workshop: Workshop, client: AsyncTaskClient
) -> None:
    task = await client.index(7)
    assert (await client.look(task.id)).hindrance is Hindrance.NO_WORKER

    await WorkerRow(workshop.sessions, identity()).beat()
    assert (await client.look(task.id)).hindrance is None
    async with workshop.sessions() as session:
        assert await hindrance(session, "prediction") is Hindrance.NO_WORKER

    await workshop.execute("INSERT INTO queue_pause (queue) VALUES ('indexing')")
    event = await client.look(task.id)
    assert (event.hindrance, event.queue) == (Hindrance.PAUSED, "indexing")


def test_commands_say_so_too(cli: Run, database: Database) -> None:
    task = cli("index", 7, "--json").json["id"]
    deserted = "no worker listens to queue indexing"
    assert cli("tasks", "show", task, "--json").json["hindrance"] == deserted
    check = {row["check"]: row for row in cli("check", "--json").json["checks"]}["queues"]
    assert check["state"] == "warn"
    assert "no worker listens to indexing" in check["found"]
    assert "no worker is registered" in cli("workers", "list").out

    async def register(session: Any) -> None:
        await WorkerRow(create_session_factory(session.bind), identity()).beat()

    database.run(register)
    database.execute("INSERT INTO queue_pause (queue) VALUES ('indexing')")
    assert cli("tasks", "show", task, "--json").json["hindrance"] == "queue indexing is paused"
    check = {row["check"]: row for row in cli("check", "--json").json["checks"]}["queues"]
    assert "paused: indexing" in check["found"]
    (worker,) = cli("workers", "list", "--json").json
    assert (worker["pid"], worker["running"]) == (2, [])
    assert "0.1.0" in cli("workers", "list").out


# Leases that lapsed


LAPSED = "UPDATE task SET lease_expires_at = clock_timestamp() - interval '2 s'"


async def leave_in_hand(workshop: Workshop, message: Any, keeper: LeaseKeeper) -> None:
    """A task whose attempt ended without a word, and its lease has lapsed."""

    async def close_the_door(task: TaskContext, request: Any) -> Any:
        await workshop.execute("ALTER TABLE task ADD CONSTRAINT door CHECK (status = 'started')")
        raise DatabaseUnavailable("gone")

    with pytest.raises(RetryLater):
        await deliver(workshop, close_the_door, message, keeper=keeper)
    await workshop.execute("ALTER TABLE task DROP CONSTRAINT door")
    await workshop.execute(LAPSED)


@pytest.fixture
async def other(workshop: Workshop) -> AsyncIterator[LeaseKeeper]:
    """Another worker's leases."""
    keeper = LeaseKeeper(workshop.sessions, duration_s=15)
    yield keeper
    await keeper.close()


async def test_a_lease_that_lapsed_is_a_crash_if_its_holder_is_heard_of_no_more(
    workshop: Workshop, other: LeaseKeeper
) -> None:
    message = delivery(project_id=7)
    await WorkerRow(workshop.sessions, identity(other.name)).beat()
    await leave_in_hand(workshop, message, other)
    # 15 s are the time of a lease: it was renewed when the worker was heard of for the last time.
    await workshop.execute("UPDATE worker SET seen_at = clock_timestamp() - interval '12 s'")

    await deliver(workshop, Recorder(), again(message))

    row = await task_row(workshop, message)
    assert (row["crashes"], row["attempts"]) == (1, 2)


@pytest.mark.parametrize("seconds", [0, 6])
async def test_it_is_none_if_its_holder_lives(
    workshop: Workshop, other: LeaseKeeper, seconds: int
) -> None:
    message = delivery(project_id=7)
    registry = WorkerRow(workshop.sessions, identity(other.name))
    await registry.beat()
    await leave_in_hand(workshop, message, other)
    await workshop.execute(
        "UPDATE worker SET seen_at = clock_timestamp() - :s * interval '1 s'", s=seconds
    )

    await deliver(workshop, Recorder(), again(message))

    row = await task_row(workshop, message)
    assert (row["crashes"], row["attempts"]) == (0, 2)


@pytest.mark.parametrize(("since", "until", "crashes"), [(3, 1, 0), (30, 1, 0), (30, 20, 1)])
async def test_it_is_none_if_the_database_was_away_when_it_lapsed(
    workshop: Workshop, other: LeaseKeeper, since: int, until: int, crashes: int
) -> None:
    message = delivery(project_id=7)
    await WorkerRow(workshop.sessions, identity("host:3:b")).beat()
    await leave_in_hand(workshop, message, other)
    await workshop.execute(
        "UPDATE worker SET away_since = clock_timestamp() - :since * interval '1 s', "
        "away_until = clock_timestamp() - :until * interval '1 s'",
        since=since,
        until=until,
    )

    await deliver(workshop, Recorder(), again(message))

    assert (await task_row(workshop, message))["crashes"] == crashes


@pytest.fixture
async def lame(database_uri: str) -> AsyncIterator[SessionFactory]:
    """Sessions of another process."""
    engine = create_engine(database_uri, pool_size=1)
    yield create_session_factory(engine)
    await engine.dispose()


async def test_a_worker_that_did_not_reach_the_database_says_since_when_once_it_does(
    workshop: Workshop, lame: SessionFactory
) -> None:
    registry = WorkerRow(lame, identity())
    await registry.beat()
    async with workshop.sessions.begin() as session:
        name = await session.scalar(text("SELECT current_database()"))
        await session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only=on'))
    await lame.kw["bind"].dispose()
    await asyncio.sleep(0.3)
    await registry.beat()
    await workshop.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert (await workshop.row("SELECT away_since FROM worker"))["away_since"] is None

    await registry.catch_up()

    row = await workshop.row(
        "SELECT EXTRACT(epoch FROM away_until - away_since) AS away, seen_at, away_until "
        "FROM worker"
    )
    assert row["away"] >= 0.3
    seen = row["seen_at"]
    await registry.catch_up()
    assert (await workshop.row("SELECT seen_at FROM worker"))["seen_at"] == seen
