"""The task client against a real PostgreSQL and a real Redis."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from dramatiq import Message
from sqlalchemy import text

from lexiclass_core.client import (
    AsyncTaskClient,
    BrokerUnavailable,
    TaskClient,
    TaskClientError,
    TaskFailed,
    TaskNotFinished,
    TaskNotFound,
)
from lexiclass_core.db import SessionFactory
from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.tasks.context import TaskContext
from tests.support.deliveries import deliver, delivery, index_result
from tests.support.services import Workshop


@pytest.fixture
async def client(database_uri: str, broker_url: str) -> Any:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


@pytest.fixture
def sync_client(database_uri: str, broker_url: str) -> Iterator[TaskClient]:
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


@pytest.fixture
def dead_broker_url() -> str:
    return f"redis://user:hunter2@127.0.0.1:{free_port()}/0"


def messages(broker_url: str, queue: str, namespace: str = "dramatiq") -> list[Message[Any]]:
    """What waits in a queue, as a worker would decode it."""
    with redis.Redis.from_url(broker_url) as connection:
        ids = connection.lrange(f"{namespace}:{queue}", 0, -1)
        return [
            Message.decode(connection.hget(f"{namespace}:{queue}.msgs", message_id))
            for message_id in ids
        ]


async def set_status(sessions: SessionFactory, message_id: str, **values: Any) -> None:
    columns = ", ".join(
        f"{name} = CAST(:{name} AS jsonb)" if name in {"result", "error"} else f"{name} = :{name}"
        for name in values
    )
    async with sessions.begin() as session:
        await session.execute(
            text(f"UPDATE task SET {columns} WHERE message_id = :id"),
            {**values, "id": message_id},
        )


@pytest.mark.parametrize(
    ("wanted", "queue"),
    [
        (IndexDocuments(project_id=7), "indexing"),
        (TrainFieldModel(project_id=7, field_id=3, classifier_params={"C": 2}), "training"),
        (PredictFieldDocuments(project_id=7, field_id=3, document_ids=None), "prediction"),
        (EvaluateFieldModel(project_id=7, field_id=3, model_version=2), "training"),
    ],
)
async def test_submitting_writes_a_row_and_sends_a_message(
    client: AsyncTaskClient,
    sessions: SessionFactory,
    broker_url: str,
    wanted: Request,
    queue: str,
) -> None:
    task = await client.submit(wanted)

    assert (task.status, task.progress, task.attempts) == (TaskStatus.PENDING, 0, 0)
    assert (task.type, task.project_id) == (wanted.actor_name, 7)
    (message,) = messages(broker_url, queue)
    assert message.message_id == task.message_id
    assert (message.actor_name, message.queue_name) == (wanted.actor_name, queue)
    assert message.args == ()
    # What was not said is left to the worker, and what was said arrives as it was.
    assert message.kwargs == wanted.model_dump(mode="json", exclude_unset=True)
    assert type(wanted).model_validate(message.kwargs) == wanted
    async with sessions() as session:
        row = (await session.execute(text("SELECT * FROM task"))).mappings().one()
    assert row["request"] == message.kwargs
    assert row["correlation_id"] == task.correlation_id == message.options["correlation_id"]
    assert row["correlation_id"] == row["message_id"]


async def test_a_correlation_id_goes_along(client: AsyncTaskClient, broker_url: str) -> None:
    task = await client.submit(IndexDocuments(project_id=7), correlation_id="request-1")

    (message,) = messages(broker_url, "indexing")
    assert message.options["correlation_id"] == task.correlation_id == "request-1"


async def test_a_namespace_keeps_messages_apart(database_uri: str, broker_url: str) -> None:
    async with AsyncTaskClient(
        database_uri=database_uri, broker_url=broker_url, namespace="ours"
    ) as client:
        await client.submit(IndexDocuments(project_id=7))

    assert messages(broker_url, "indexing") == []
    assert len(messages(broker_url, "indexing", "ours")) == 1


async def test_a_broker_that_is_down_leaves_no_row(
    database_uri: str, dead_broker_url: str, sessions: SessionFactory
) -> None:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=dead_broker_url) as client:
        with pytest.raises(BrokerUnavailable, match="nothing was submitted") as raised:
            await client.submit(IndexDocuments(project_id=7))

    assert "hunter2" not in str(raised.value)
    async with sessions() as session:
        assert (await session.execute(text("SELECT count(*) FROM task"))).scalar_one() == 0


async def test_a_task_is_found_by_row_id_and_by_message_id(client: AsyncTaskClient) -> None:
    task = await client.submit(IndexDocuments(project_id=7))

    assert await client.status(task.id) == await client.status(task.message_id) == task


@pytest.mark.parametrize("task", [4711, "no-such-message", 2**70, "nul\0", "\udc00"])
async def test_a_task_that_is_not_there_is_not_found(
    client: AsyncTaskClient, task: int | str
) -> None:
    for ask in (client.status, client.result, client.wait):
        with pytest.raises(TaskNotFound, match="no task") as raised:
            await ask(task)
        assert raised.value.task == task


@pytest.mark.parametrize("status", ["pending", "started", "retrying"])
async def test_a_task_that_is_not_done_has_no_result(
    client: AsyncTaskClient, sessions: SessionFactory, status: str
) -> None:
    task = await client.submit(IndexDocuments(project_id=7))
    await set_status(sessions, task.message_id, status=status)

    with pytest.raises(TaskNotFinished, match=status) as raised:
        await client.result(task.id)
    assert (raised.value.task, raised.value.status) == (task.id, status)


async def test_a_failed_tasks_error_is_raised(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.submit(IndexDocuments(project_id=7))
    error = '{"code": "NO_DOCUMENTS", "message": "nothing there", "details": {"n": 1}}'
    await set_status(sessions, task.message_id, status="failed", error=error)

    with pytest.raises(TaskFailed, match="NO_DOCUMENTS: nothing there") as raised:
        await client.result(task.id)

    assert raised.value.error.details == {"n": 1}
    assert (await client.wait(task.id)).error == raised.value.error


async def test_a_cancelled_task_has_failed_without_a_word(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.submit(IndexDocuments(project_id=7))
    await set_status(sessions, task.message_id, status="cancelled")

    with pytest.raises(TaskFailed, match="CANCELLED"):
        await client.result(task.id)


async def test_waiting_ends_with_the_task(client: AsyncTaskClient, workshop: Workshop) -> None:
    task = await client.submit(IndexDocuments(project_id=7))
    seen = asyncio.Event()

    async def service(context: TaskContext, request: Request) -> Any:
        await seen.wait()
        return index_result(7)

    message = delivery(message_id=task.message_id, project_id=7)
    run = asyncio.create_task(deliver(workshop, service, message))
    waiting = asyncio.create_task(client.wait(task.id, timeout_s=20, poll_interval_s=0.01))
    await workshop.until_there_is("SELECT 1 FROM task WHERE status = 'started'")
    assert not waiting.done()
    seen.set()

    finished = await waiting
    assert finished.status is TaskStatus.SUCCEEDED
    assert finished.progress == 100
    assert finished.result == await client.result(task.id) == await run
    assert finished.started_at <= finished.finished_at


async def test_waiting_for_too_long_is_a_timeout(client: AsyncTaskClient) -> None:
    task = await client.submit(IndexDocuments(project_id=7))

    with pytest.raises(TimeoutError):
        await client.wait(task.id, timeout_s=0.2, poll_interval_s=0.01)


def test_the_synchronous_client_does_the_same(sync_client: TaskClient, broker_url: str) -> None:
    task = sync_client.submit(IndexDocuments(project_id=7), correlation_id="c")

    assert sync_client.status(task.id) == task
    assert messages(broker_url, "indexing")[0].message_id == task.message_id
    with pytest.raises(TaskNotFinished):
        sync_client.result(task.id)
    with pytest.raises(TimeoutError):
        sync_client.wait(task.id, timeout_s=0.2)
    with pytest.raises(TaskNotFound):
        sync_client.status(4711)


def test_threads_share_a_synchronous_client(sync_client: TaskClient, broker_url: str) -> None:
    def submit(number: int) -> tuple[int, int | None]:
        task = sync_client.submit(IndexDocuments(project_id=number))
        return task.id, sync_client.status(task.id).project_id

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(submit, range(1, 41)))

    assert [project_id for _, project_id in found] == list(range(1, 41))
    assert len({task_id for task_id, _ in found}) == 40
    assert len(messages(broker_url, "indexing")) == 40


def test_closing_ends_the_clients_thread(database_uri: str, broker_url: str) -> None:
    before = threading.active_count()
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        client.submit(IndexDocuments(project_id=7))
        assert threading.active_count() > before

    assert not [
        thread for thread in threading.enumerate() if thread.name == "lexiclass-task-client"
    ]


def test_a_broker_that_is_down_is_the_clients_error(
    database_uri: str, dead_broker_url: str
) -> None:
    with (
        TaskClient(database_uri=database_uri, broker_url=dead_broker_url) as client,
        pytest.raises(BrokerUnavailable),
    ):
        client.submit(IndexDocuments(project_id=7))


@pytest.mark.parametrize("uri", ["sqlite:///hunter2", "postgresql://u:hunter2@h/d", "hunter2"])
def test_a_database_that_is_no_postgresql_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(ValueError, match=r"postgresql\+asyncpg://") as raised:
        TaskClient(database_uri=uri, broker_url="redis://localhost")

    assert "hunter2" not in str(raised.value)


def test_every_error_of_the_client_is_one_family() -> None:
    for error in (BrokerUnavailable, TaskNotFound, TaskNotFinished, TaskFailed):
        assert issubclass(error, TaskClientError)
        assert error.__doc__
