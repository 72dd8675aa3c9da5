"""The task client in a caller's own transaction, engine and processes; handles, queues, retries."""

import asyncio
import os
import signal
import socket
import threading
from typing import Any, ClassVar

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from lexiclass_core.client import (
    AsyncTaskClient,
    IdempotencyConflict,
    InvalidTask,
    TaskClient,
    TaskFailed,
    TaskSnapshot,
)
from lexiclass_core.client.live import LiveFeed
from lexiclass_core.db import SessionFactory, create_engine
from lexiclass_core.models import Project, Task, TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import IndexDocuments, IndexResult, Request, TrainFieldModel
from lexiclass_core.tasks.submission import split
from tests.integration.test_client import messages, set_status
from tests.support.database import Database
from tests.support.deliveries import index_result
from tests.support.workers import wait_until

WANTED = IndexDocuments(project_id=7)


# In a transaction of the caller's


async def test_a_task_and_what_else_is_written_are_committed_together(
    client: AsyncTaskClient, sessions: SessionFactory, broker_url: str
) -> None:
    async with sessions.begin() as session:
        session.add(Project(name="mine"))
        task = await client.submit(WANTED, session=session, idempotency_key="k")
        async with sessions() as another:
            assert await another.scalar(select(func.count()).select_from(Task)) == 0
        await client.sent()
        assert messages(broker_url, "indexing") == []

    await client.sent()

    assert task.status is TaskStatus.PENDING
    assert [message.message_id for message in messages(broker_url, "indexing")] == [task.message_id]
    assert (await client.status(task.id)).message_id == task.message_id
    async with sessions.begin() as session:
        again = await client.submit(WANTED, session=session, idempotency_key="k")
        with pytest.raises(IdempotencyConflict):
            await client.submit(
                IndexDocuments(project_id=7, locale="de"), session=session, idempotency_key="k"
            )
    await client.sent()
    assert again.id == task.id
    assert len(messages(broker_url, "indexing")) == 1


async def test_what_is_taken_back_is_never_sent(
    client: AsyncTaskClient, sessions: SessionFactory, broker_url: str
) -> None:
    async with sessions() as session:
        await client.submit(WANTED, session=session)
        await session.rollback()
        stays = await client.submit(WANTED, session=session)
        async with session.begin_nested():
            stays_too = await client.submit(WANTED, session=session)
        async with session.begin_nested() as savepoint:
            await client.submit(WANTED, session=session)
            await savepoint.rollback()
        await client.sent()
        assert messages(broker_url, "indexing") == []
        await session.commit()

    await client.sent()

    sent = [message.message_id for message in messages(broker_url, "indexing")]
    assert sorted(sent) == sorted([stays.message_id, stays_too.message_id])
    assert len((await client.list()).tasks) == 2


async def test_a_synchronous_session_has_its_tasks_sent_too(
    database_uri: str, sessions: SessionFactory, broker_url: str
) -> None:
    sync_client = TaskClient(database_uri=database_uri, broker_url=broker_url)
    async with sessions.begin() as session:
        handle = await session.run_sync(lambda own: sync_client.start(WANTED, session=own))
        assert messages(broker_url, "indexing") == []

    await asyncio.to_thread(sync_client.close)

    assert [message.message_id for message in messages(broker_url, "indexing")] == [
        handle.message_id
    ]


async def test_a_session_may_be_that_of_a_thread_or_a_request(
    client: AsyncTaskClient, database_uri: str, sessions: SessionFactory, broker_url: str
) -> None:
    scoped = async_scoped_session(sessions, scopefunc=asyncio.current_task)
    first = await client.submit(WANTED, session=scoped)
    await scoped.commit()
    await scoped.remove()
    await client.sent()

    sync_client = TaskClient(database_uri=database_uri, broker_url=broker_url)
    async with sessions.begin() as session:

        def submit(own: Session) -> TaskSnapshot:
            factory: Any = lambda: own  # noqa: E731 - a factory of sessions, of this one alone
            return sync_client.submit(WANTED, session=scoped_session(factory))

        second = await session.run_sync(submit)
    await asyncio.to_thread(sync_client.close)

    sent = [message.message_id for message in messages(broker_url, "indexing")]
    assert sorted(sent) == sorted([first.message_id, second.message_id])


async def test_a_task_is_retried_in_a_transaction_of_the_callers(
    client: AsyncTaskClient, database_uri: str, sessions: SessionFactory, broker_url: str
) -> None:
    task = await client.submit(WANTED)
    async with sessions.begin() as session:
        row = await session.get_one(Task, task.id)
        row.status, row.correlation_id = TaskStatus.CANCELLED, "c" * 600
        # It is seen as the transaction has it.
        again = await client.retry(task.id, session=session)
    assert again.correlation_id == "c" * 500

    with TaskClient(database_uri=database_uri, broker_url=broker_url) as sync_client:
        async with sessions() as session:
            taken_back = await session.run_sync(lambda own: sync_client.retry(task.id, session=own))
            await session.rollback()
        assert taken_back.request == task.request
    assert {each.id for each in (await client.list()).tasks} == {task.id, again.id}


async def test_an_engine_of_the_caller_stays_open(database_uri: str, broker_url: str) -> None:
    engine = create_engine(database_uri)
    async with AsyncTaskClient(engine=engine, broker_url=broker_url) as client:
        task = await client.submit(WANTED)
    async with engine.connect() as connection:
        assert await connection.scalar(select(Task.id)) == task.id
    await engine.dispose()
    with pytest.raises(ValueError, match="a database_uri or an engine"):
        AsyncTaskClient(broker_url=broker_url)
    with pytest.raises(ValueError, match="a database_uri or an engine"):
        AsyncTaskClient(broker_url=broker_url, engine=engine, database_uri=database_uri)


@pytest.mark.parametrize("options", [{}, {"isolation_level": "REPEATABLE READ"}])
async def test_a_synchronous_client_connects_as_an_engine_of_the_caller_does(
    database_uri: str, broker_url: str, options: dict[str, str]
) -> None:
    engine = create_engine(database_uri, application_name="reports")
    begun: list[str] = []
    event.listen(
        engine.sync_engine, "begin", lambda _: begun.append(threading.current_thread().name)
    )
    async with engine.connect() as connection:
        count = select(func.count()).select_from(Task)
        connected = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reports'")

        def use() -> tuple[TaskSnapshot, int]:
            given = engine.execution_options(**options) if options else engine
            with TaskClient(engine=given, broker_url=broker_url) as client:
                task = client.submit(WANTED)
                assert client.status(task.id).id == task.id
                return task, client.documents.create_project("of the engine")

        task, project_id = await asyncio.to_thread(use)

        assert project_id == 1
        assert begun.count("lexiclass-task-client") == 3
        # Its own connection, which another loop has opened, is there; the client's is gone.
        assert await connection.scalar(count) == 1
        assert await connection.scalar(connected) == 1
    assert [message.message_id for message in messages(broker_url, "indexing")] == [task.message_id]
    await engine.dispose()


@pytest.mark.parametrize("is_given", [False, True])
def test_no_connection_to_the_database_is_left_where_closing_another_fails(
    database: Database,
    database_uri: str,
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_given: bool,
) -> None:
    async def fail(_: object) -> None:
        raise OSError("the live feed does not close")

    uri = f"{database_uri}?application_name=closing"
    client = (
        TaskClient(engine=create_engine(uri), broker_url=broker_url)
        if is_given
        else TaskClient(database_uri=uri, broker_url=broker_url)
    )
    client.submit(WANTED)
    connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '% closing'"
    assert database.value(connected) == 1
    monkeypatch.setattr(LiveFeed, "close", fail)
    with pytest.raises(OSError, match="does not close"):
        client.close()

    wait_until(lambda: database.value(connected) == 0)


def test_a_synchronous_client_takes_a_database_or_an_engine_of_asyncio(
    database_uri: str, broker_url: str
) -> None:
    engine = create_engine(database_uri)
    with pytest.raises(ValueError, match="a database_uri or an engine"):
        TaskClient(broker_url=broker_url)
    with pytest.raises(ValueError, match="a database_uri or an engine"):
        TaskClient(broker_url=broker_url, engine=engine, database_uri=database_uri)
    of_threads: Any = engine.sync_engine
    with pytest.raises(TypeError, match=r"no engine of asyncio.*database_uri"):
        TaskClient(broker_url=broker_url, engine=of_threads)


def test_a_forked_process_has_connections_of_its_own(
    sync_client: TaskClient, broker_url: str
) -> None:
    task = sync_client.submit(WANTED)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            queued = [sync_client.submit(WANTED).queue for _ in range(3)]
            for event in sync_client.watch(task.id):
                status = 0 if queued == ["indexing"] * 3 and event.task_id == task.id else 2
                break
        finally:
            os._exit(status)
    for _ in range(20):
        assert sync_client.status(task.id).id == task.id
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(messages(broker_url, "indexing")) == 4


async def test_a_forked_process_does_not_wait_for_what_its_parent_sends(
    database_uri: str, sessions: SessionFactory
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        sync_client = TaskClient(database_uri=database_uri, broker_url=broker_url)
        async with sessions.begin() as session:
            await session.run_sync(lambda own: sync_client.submit(WANTED, session=own))
        # Now it is being sent.
        await asyncio.to_thread(sync_client.list)
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            exit_code = 1
            try:
                sync_client.close()
                exit_code = 0
            finally:
                os._exit(exit_code)
        status = await asyncio.to_thread(os.waitpid, pid, 0)
    await asyncio.to_thread(sync_client.close)
    await asyncio.to_thread(sync_client.close)

    assert os.waitstatus_to_exitcode(status[1]) == 0


# Handles


async def test_a_handle_waits_for_the_result_and_knows_its_type(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    handle = await client.start(WANTED)
    with pytest.raises(TimeoutError):
        await handle.result(timeout_s=0.05)
    waiting = asyncio.create_task(handle.result(timeout_s=30))
    expected = index_result(7)
    await set_status(
        sessions, handle.message_id, status="succeeded", result=expected.model_dump_json()
    )

    result = await waiting

    assert type(result) is IndexResult
    assert result == expected
    same = await client.handle(handle.id, IndexDocuments)
    assert (await same.result()) == expected
    assert (await same.status()).status is TaskStatus.SUCCEEDED
    with pytest.raises(InvalidTask, match="of index_documents, not of train_field_model"):
        await client.handle(handle.id, TrainFieldModel)


async def test_a_handle_raises_what_its_task_failed_with_and_submits_it_once_more(
    client: AsyncTaskClient,
) -> None:
    handle = await client.start(WANTED, correlation_id="c", priority=3)
    with pytest.raises(InvalidTask, match="is pending: only one that failed or was cancelled"):
        await handle.retry()
    assert (await handle.cancel()).status is TaskStatus.CANCELLED
    with pytest.raises(TaskFailed, match="CANCELLED"):
        await handle.result()

    again = await handle.retry(priority=1)

    snapshot = again.snapshot
    assert (snapshot.request, snapshot.correlation_id, snapshot.priority) == (
        {"project_id": 7}, "c", 1,
    )  # fmt: skip
    assert again.id != handle.id
    assert [entry.event for entry in await handle.history()] == ["cancelled"]


def test_the_synchronous_client_has_handles_too(sync_client: TaskClient) -> None:
    handle = sync_client.start(WANTED)
    assert handle.status().status is TaskStatus.PENDING
    assert handle.cancel().status is TaskStatus.CANCELLED
    assert [event.status for event in handle.watch()] == [TaskStatus.CANCELLED]
    with pytest.raises(TaskFailed):
        handle.result(timeout_s=5)
    assert sync_client.handle(handle.retry().id, IndexDocuments).snapshot.status == "pending"
    assert [entry.event for entry in handle.history()] == ["cancelled"]


# Options and queues


class Scheduling(Request):
    """An operation with a field that has the name of an option."""

    actor_name: ClassVar[str] = "index_documents"
    priority: str


def test_a_field_may_have_the_name_of_an_option() -> None:
    request, options = split(Scheduling, {"priority": "high"}, {"priority": 5}, project_id=1)
    assert request == Scheduling(project_id=1, priority="high")
    assert options == {"priority": 5}
    assert split(Scheduling, {"priority": "low"}, None, project_id=1)[1] == {}


async def test_options_can_be_given_apart_or_beside_the_arguments(client: AsyncTaskClient) -> None:
    apart = await client.train(7, 3, classifier="svm", options={"priority": 5})
    beside = await client.train(7, 3, classifier="svm", priority=5)
    assert apart.request == beside.request == {
        "project_id": 7, "field_id": 3, "classifier": "svm",
    }  # fmt: skip
    assert apart.priority == beside.priority == 5
    with pytest.raises(InvalidTask, match="priority"):
        await client.train(7, 3, options={}, priority=5)


async def test_queues_are_paused_drained_and_resumed(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    await client.queues.pause(QueueName.PREDICTION, reason="room")
    pauses = await client.queues.pauses()
    # The chunks of predictions go with them.
    assert {queue: pause.reason for queue, pause in pauses.items()} == {
        "prediction": "room", "bulk": "room",
    }  # fmt: skip
    await client.queues.resume(QueueName.PREDICTION)
    assert await client.queues.pauses() == {}

    task = await client.submit(WANTED)
    async with sessions.begin() as session:
        row = await session.get_one(Task, task.id)
        row.status, row.lease_owner = TaskStatus.STARTED, "box:7:a"
        row.lease_expires_at = func.now() + func.make_interval(0, 0, 0, 0, 0, 10)
    assert (await client.queues.running())[QueueName.INDEXING] == 1
    with pytest.raises(TimeoutError):
        await client.queues.drain(QueueName.INDEXING, timeout_s=0.5)
    draining = asyncio.create_task(client.queues.drain(QueueName.INDEXING, timeout_s=30))
    await set_status(sessions, task.message_id, status="succeeded")
    await draining
    assert list(await client.queues.pauses()) == ["indexing"]


async def test_what_is_no_queue_is_not_paused(client: AsyncTaskClient) -> None:
    nonsense: Any = "trainings"
    for work in (client.queues.pause, client.queues.resume, client.queues.drain):
        with pytest.raises(ValueError, match="'trainings' is not a valid QueueName"):
            await work(QueueName.INDEXING, nonsense)
    await client.queues.pause()
    assert await client.queues.pauses() == {}


@pytest.mark.slow
def test_queues_without_an_event_loop(sync_client: TaskClient) -> None:
    sync_client.queues.pause(QueueName.TRAINING)
    assert list(sync_client.queues.pauses()) == ["training"]
    sync_client.queues.resume(QueueName.TRAINING)
    sync_client.queues.drain(QueueName.TRAINING)
    assert sync_client.queues.running()[QueueName.TRAINING] == 0
