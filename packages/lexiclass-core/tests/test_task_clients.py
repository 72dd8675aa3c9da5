"""What a task client does, the real one and the one in memory that tests of APIs use."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, get_args, get_type_hints

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client import (
    AsyncDeadLetters,
    AsyncDocuments,
    AsyncModels,
    AsyncQueues,
    AsyncTaskClient,
    DeadLetters,
    Documents,
    IdempotencyConflict,
    InvalidTask,
    Models,
    Queues,
    TaskClient,
    TaskFailed,
    TaskFinished,
    TaskNotFinished,
    TaskNotFound,
    UnresolvedName,
)
from lexiclass_core.client.base import BaseTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.models import Field, Project
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import (
    DeleteProject,
    DescribeDocument,
    EraseDocuments,
    EvaluateFieldModel,
    IndexDocuments,
    IndexResult,
    PredictFieldDocuments,
    Request,
    Result,
    TaskError,
    TrainFieldModel,
)
from lexiclass_core.statuses import Hindrance
from lexiclass_core.tasks import chunks, starting, transitions
from lexiclass_core.tasks.leases import Holder, Lease
from lexiclass_core.tasks.reading import Filters
from lexiclass_core.tasks.submission import SubmitOptions
from lexiclass_core.testing import WORKER, AsyncFakeTaskClient, FakeTaskClient

RESULT = IndexResult(
    project_id=7,
    index_path="/somewhere",
    is_incremental=True,
    num_documents=2,
    added=2,
    changed=0,
    removed=0,
    unchanged=0,
    num_skipped=0,
    skipped=[],
)
WANTED = IndexDocuments(project_id=7)
ERROR = TaskError(code="NO_DOCUMENTS", message="nothing there")


class Worker(Protocol):
    """What becomes of a task, said to either client."""

    async def begin(self, task: int | str) -> object: ...

    async def report(self, task: int | str, progress: int, stage: str) -> object: ...

    async def succeed(self, task: int | str, result: Result) -> object: ...

    async def fail(self, task: int | str, error: TaskError) -> object: ...


class DatabaseWorker:
    """Makes the transitions of a worker on rows."""

    def __init__(self, client: AsyncTaskClient, sessions: SessionFactory) -> None:
        self._client = client
        self._sessions = sessions

    async def begin(self, task: int | str) -> None:
        async with self._sessions.begin() as session:
            await self._lease(session, task)

    async def report(self, task: int | str, progress: int, stage: str) -> None:
        async with self._sessions.begin() as session:
            lease = await self._lease(session, task)
            await chunks.set_progress(session, lease, progress, stage)

    async def succeed(self, task: int | str, result: Result) -> None:
        async with self._sessions.begin() as session:
            lease = await self._lease(session, task)
            await transitions.succeed(session, lease, result.model_dump(mode="json"))

    async def fail(self, task: int | str, error: TaskError) -> None:
        async with self._sessions.begin() as session:
            lease = await self._lease(session, task)
            if error.code == "CANCELLED":
                await transitions.cancel(session, lease, error)
            else:
                await transitions.fail(session, lease, error, crashes=0)

    async def _lease(self, session: AsyncSession, task: int | str) -> Lease:
        found = await self._client.status(task)
        if found.status == "started":
            return Lease(found.id, found.attempts)
        new = starting.NewTask(
            message_id=found.message_id, type=found.type, queue=found.queue or "",
            project_id=found.project_id, request=found.request, correlation_id="c",
            queued_at=datetime.now(UTC),
        )  # fmt: skip
        holder = Holder(name=WORKER, duration_s=60)
        _, lease = await starting.take(session, new, holder, max_attempts=3)
        assert lease is not None
        return lease


@pytest.fixture(params=["real", "fake"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(kind: str, database_uri: str, broker_url: str) -> AsyncIterator[BaseTaskClient]:
    if kind == "fake":
        yield AsyncFakeTaskClient(projects={"news": 1}, fields={(1, "topic"): 1})
        return
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


@pytest.fixture
def worker(client: BaseTaskClient, sessions: SessionFactory) -> Worker:
    if isinstance(client, AsyncFakeTaskClient):
        return client
    assert isinstance(client, AsyncTaskClient)
    return DatabaseWorker(client, sessions)


async def test_a_task_waits_and_is_found_by_either_id(client: BaseTaskClient) -> None:
    task = await client.train(7, 3, classifier="svm", correlation_id="c", priority=5)

    assert (task.status, task.queue, task.attempts, task.progress) == ("pending", "training", 0, 0)
    assert task.request == {"project_id": 7, "field_id": 3, "classifier": "svm"}
    assert (task.correlation_id, task.priority, task.error) == ("c", 5, None)
    for name in (task.id, task.message_id):
        assert (await client.status(name)).id == task.id
        with pytest.raises(TaskNotFinished):
            await client.result(name)
    for unknown in (task.id + 1, "unknown"):
        for ask in (client.status, client.look, client.history, client.cancel, client.retry):
            with pytest.raises(TaskNotFound):
                await ask(unknown)


async def test_the_place_in_the_queue_is_known(client: BaseTaskClient) -> None:
    tasks = [await client.submit(WANTED) for _ in range(3)]
    positions = [(await client.look(task.id)).queue_position for task in tasks]
    assert positions == [0, 1, 2]


async def test_tasks_of_a_paused_queue_wait_until_it_is_resumed(
    client: AsyncTaskClient | AsyncFakeTaskClient,
) -> None:
    task = await client.submit(WANTED)
    await client.queues.pause(QueueName.INDEXING, reason="a new disk")
    assert (await client.queues.pauses())["indexing"].reason == "a new disk"
    assert (await client.look(task.id)).hindrance is Hindrance.PAUSED
    await client.queues.resume(QueueName.INDEXING)
    assert not await client.queues.pauses()
    assert (await client.look(task.id)).hindrance is not Hindrance.PAUSED


async def test_a_drained_queue_is_paused_and_runs_nothing(
    client: AsyncTaskClient | AsyncFakeTaskClient, worker: Worker
) -> None:
    task = await client.submit(WANTED)
    await worker.begin(task.id)
    assert (await client.queues.running())[QueueName.INDEXING] == 1
    draining = asyncio.create_task(client.queues.drain(QueueName.INDEXING, timeout_s=60))
    while not await client.queues.pauses():
        await asyncio.sleep(0)
    assert not draining.done()
    await worker.succeed(task.id, RESULT)
    await draining
    assert await client.queues.pauses()
    assert (await client.queues.running())[QueueName.INDEXING] == 0


async def test_a_drain_that_takes_too_long_says_so(
    client: AsyncTaskClient | AsyncFakeTaskClient, worker: Worker
) -> None:
    await worker.begin((await client.submit(WANTED)).id)
    says = r"queues .*indexing.* not empty after 2 s: 1 of their tasks run"
    with pytest.raises(TimeoutError, match=says):
        await client.queues.drain(QueueName.INDEXING, timeout_s=2)


async def test_a_key_names_one_task(client: BaseTaskClient) -> None:
    first = await client.submit(WANTED, idempotency_key="k")
    assert (await client.submit(WANTED, idempotency_key="k")).id == first.id
    assert (await client.index(8, idempotency_key="k")).id != first.id
    with pytest.raises(IdempotencyConflict) as raised:
        await client.index(7, locale="de", idempotency_key="k")
    assert raised.value.task_id == first.id


async def test_what_cannot_be_a_task_is_refused(client: BaseTaskClient) -> None:
    with pytest.raises(InvalidTask, match="locale"):
        await client.index(7, locale="not a locale")
    with pytest.raises(InvalidTask, match="priority"):
        await client.submit(WANTED, priority=10_000)
    with pytest.raises(InvalidTask, match="not both"):
        await client.submit(WANTED, delay_s=1, not_before=datetime.now(UTC))
    assert (await client.list()).tasks == []


async def test_tasks_are_listed_newest_first(client: BaseTaskClient) -> None:
    ids = [(await client.index(project_id)).id for project_id in (1, 2, 1, 2, 1)]
    await client.cancel(ids[0])

    page = await client.list(project_id=1, limit=2)

    assert [task.id for task in page.tasks] == [ids[4], ids[2]]
    rest = await client.list(project_id=1, limit=2, before=page.next_before)
    assert ([task.id for task in rest.tasks], rest.next_before) == ([ids[0]], None)
    assert [task.id for task in (await client.list(status="cancelled")).tasks] == [ids[0]]
    assert (await client.list(type="train_field_model")).tasks == []
    with pytest.raises(ValueError, match="expected 1 or more"):
        await client.list(limit=0)


async def test_tasks_are_found_by_queue_name_and_error(
    client: BaseTaskClient, worker: Worker
) -> None:
    training = await client.train(7, 3, correlation_id="click")
    failing = await client.start(WANTED)
    await worker.begin(failing.id)
    await worker.fail(failing.id, ERROR)

    cases: list[tuple[Filters, int]] = [
        ({"queue": "training"}, training.id),
        ({"text": "click"}, training.id),
        ({"text": training.message_id}, training.id),
        ({"text": str(failing.id)}, failing.id),
        ({"error_code": "NO_DOCUMENTS"}, failing.id),
    ]
    for filters, expected in cases:
        assert [task.id for task in (await client.list(**filters)).tasks] == [expected], filters
    assert (await client.list(error_code="CRASHED")).tasks == []


async def test_a_task_that_succeeds_has_a_result(client: BaseTaskClient, worker: Worker) -> None:
    handle = await client.start(WANTED)
    await worker.begin(handle.id)
    started = await handle.status()
    assert (started.status, started.attempts, started.lease_owner) == ("started", 1, WORKER)
    await worker.report(handle.id, 40, "tokenize")
    assert ((await handle.status()).progress, (await handle.status()).stage) == (40, "tokenize")
    with pytest.raises(TimeoutError):
        await handle.result(timeout_s=0.05)
    waiting = asyncio.create_task(handle.result(timeout_s=30))
    await asyncio.sleep(0)

    await worker.succeed(handle.id, RESULT)

    assert await waiting == RESULT
    done = await client.wait(handle.id, timeout_s=5)
    assert (done.status, done.progress, done.stage, done.lease_owner) == (
        "succeeded", 100, None, None,
    )  # fmt: skip
    assert done.finished_at is not None
    assert [(each.event, each.attempt) for each in await handle.history()] == [
        ("started", 1), ("succeeded", 1),
    ]  # fmt: skip
    with pytest.raises(InvalidTask, match="only one that failed or was cancelled"):
        await client.retry(handle.id)


async def test_a_task_that_fails_says_why(client: BaseTaskClient, worker: Worker) -> None:
    handle = await client.start(PredictFieldDocuments(project_id=7, field_id=3, document_ids=[1]))
    await worker.begin(handle.id)
    await worker.fail(handle.id, ERROR)

    with pytest.raises(TaskFailed, match="NO_DOCUMENTS: nothing there") as raised:
        await handle.result()
    assert raised.value.error == ERROR
    assert (await handle.history())[-1].error == ERROR
    with pytest.raises(TaskFinished):
        await handle.cancel()
    again = await handle.retry()
    assert (again.snapshot.request, again.snapshot.status) == (handle.snapshot.request, "pending")
    with pytest.raises(InvalidTask, match="not of train_field_model"):
        await client.handle(again.id, TrainFieldModel)


async def test_a_task_that_waits_is_cancelled_at_once(client: BaseTaskClient) -> None:
    task = await client.submit(WANTED)
    cancelled = await client.cancel(task.id)
    assert (cancelled.status, cancelled.lease_owner) == ("cancelled", None)
    assert cancelled.cancel_requested_at is not None
    assert cancelled.error is not None
    assert cancelled.error.message == "cancelled on request before it ran"
    assert [each.event for each in await client.history(task.id)] == ["cancelled"]


async def test_a_task_that_runs_is_asked_to_end(client: BaseTaskClient, worker: Worker) -> None:
    task = await client.submit(WANTED)
    await worker.begin(task.id)
    asked = await client.cancel(task.id)
    assert (asked.status, asked.lease_owner) == ("started", WORKER)
    assert asked.cancel_requested_at is not None
    await worker.fail(task.id, TaskError(code="CANCELLED", message="on request"))
    assert (await client.status(task.id)).status == "cancelled"
    events = [(each.event, each.worker) for each in await client.history(task.id)]
    assert events == [("started", WORKER), ("cancel_requested", None), ("cancelled", WORKER)]


async def test_watching_tells_what_changes_until_the_end(
    client: BaseTaskClient, worker: Worker
) -> None:
    task = await client.submit(WANTED)
    events = client.watch(task.id, timeout_s=30, poll_interval_s=0.05)

    async def until(expected: tuple[str, int]) -> None:
        async for event in events:
            if (event.status, event.progress) == expected:
                return
        raise AssertionError(expected)

    await until(("pending", 0))
    await worker.begin(task.id)
    await until(("started", 0))
    await worker.report(task.id, 40, "tokenize")
    await until(("started", 40))
    await worker.succeed(task.id, RESULT)
    await until(("succeeded", 100))
    assert [event async for event in events] == []


async def test_a_task_of_the_callers_transaction_follows_it(
    client: BaseTaskClient, sessions: SessionFactory
) -> None:
    async with sessions() as session:
        await client.submit(WANTED, session=session)
        await session.rollback()
        async with session.begin_nested() as savepoint:
            await client.submit(WANTED, session=session)
            await savepoint.rollback()
        assert (await client.list()).tasks == []
        task = await client.submit(WANTED, session=session, idempotency_key="k")
        assert (await client.list()).tasks == []
        await session.commit()
    await client.sent()
    assert [each.id for each in (await client.list()).tasks] == [task.id]


async def test_names_are_found(client: BaseTaskClient, sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        session.add(Project(id=1, name="news"))
        await session.flush()
        session.add(Field(id=1, project_id=1, name="topic"))
    assert await client.find_project("news") == await client.find_project(1) == 1
    assert await client.find_field(1, "topic") == 1
    # A number is an id, whatever there is.
    assert await client.find_project(9) == await client.find_field(1, "9") == 9
    with pytest.raises(UnresolvedName):
        await client.find_project("olds")
    with pytest.raises(UnresolvedName):
        await client.find_field(1, "olds")
    assert await client.workers() == []


@pytest.fixture
def sync_client(kind: str, database_uri: str, broker_url: str) -> Iterator[TaskClient]:
    with (
        FakeTaskClient()
        if kind == "fake"
        else TaskClient(database_uri=database_uri, broker_url=broker_url)
    ) as client:
        yield client


def test_the_synchronous_ones_do_the_same(sync_client: TaskClient) -> None:
    handle = sync_client.start(WANTED, idempotency_key="k")
    assert sync_client.index(7, idempotency_key="k").id == handle.id
    assert handle.cancel().status == "cancelled"
    with pytest.raises(TaskFailed, match="CANCELLED"):
        handle.result(timeout_s=5)
    if isinstance(sync_client, FakeTaskClient):
        again = handle.retry()
        sync_client.begin(again.id)
        sync_client.report(again.id, 50, "tokenize")
        sync_client.succeed(again.id, RESULT)
        assert again.result() == RESULT
        failing = sync_client.start(WANTED)
        sync_client.fail(failing.id, ERROR)
        with pytest.raises(TaskFailed, match="nothing there"):
            failing.result()


@pytest.mark.parametrize(
    ("made", "asynchronous"),
    [(TaskClient, AsyncTaskClient), (Models, AsyncModels), (Documents, AsyncDocuments),
     (Queues, AsyncQueues), (DeadLetters, AsyncDeadLetters), (FakeTaskClient, AsyncFakeTaskClient)],
)  # fmt: skip
def test_the_synchronous_ones_have_the_same_methods_and_say_the_same_of_them(
    made: type[object], asynchronous: type[object]
) -> None:
    names = {name for name in dir(asynchronous) if not name.startswith("_")}
    # These send for a synchronous session, and look at dead letters in one of asyncio.
    names -= {"add_in", "sent", "send_soon", "within"}
    for name in names:
        method, of = getattr(made, name), getattr(asynchronous, name)
        assert method.__doc__, name
        assert not inspect.iscoroutinefunction(method), name
        if name != "close":
            assert inspect.signature(method).parameters.keys() == (
                inspect.signature(of).parameters.keys()
            ), name


@pytest.mark.parametrize(
    "schema", [each.request for each in OPERATIONS.values() if not each.part_of]
)
def test_a_clients_method_takes_each_field_of_its_request(schema: type[Request]) -> None:
    methods: dict[type[Request], object] = {
        IndexDocuments: TaskClient.index,
        TrainFieldModel: TaskClient.train,
        PredictFieldDocuments: TaskClient.predict,
        EvaluateFieldModel: TaskClient.evaluate,
        EraseDocuments: TaskClient.delete_documents,
        DescribeDocument: TaskClient.describe_document,
        DeleteProject: TaskClient.delete_project,
    }
    method: Any = methods[schema]
    hints = get_type_hints(method)
    (arguments,) = get_args(hints.get("arguments", hints.get("options")))
    taken = {*inspect.signature(method).parameters} - {"self", "arguments", "options"}
    taken |= {*arguments.__optional_keys__} - {*SubmitOptions.__optional_keys__}
    assert taken - {"session"} == {*schema.model_fields}
