"""The task client against a real PostgreSQL and a real Redis."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import redis
from dramatiq import Message
from sqlalchemy import text

from lexiclass_core.client import (
    AsyncTaskClient,
    BrokerUnavailable,
    DocumentError,
    IdempotencyConflict,
    InvalidTask,
    TaskClient,
    TaskClientError,
    TaskFailed,
    TaskFinished,
    TaskNotFinished,
    TaskNotFound,
    TaskPage,
    UnresolvedName,
)
from lexiclass_core.db import SessionFactory
from lexiclass_core.models import TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.execution import outcome
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services.training import train_field_model
from tests.support.deliveries import Recorder, deliver, delivery, index_result
from tests.support.services import Workshop, content_below


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


async def test_a_broker_that_is_down_leaves_a_pending_row_and_gives_its_id(
    database_uri: str, dead_broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=dead_broker_url) as client:
        task = await client.train(7, 3, correlation_id="c")
        assert (await client.status(task.id)).status is TaskStatus.PENDING

    assert (task.queue, task.request) == ("training", {"project_id": 7, "field_id": 3})
    assert f"task {task.id} waits in its row" in caplog.text
    assert "hunter2" not in caplog.text


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


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ("{}", "INTERNAL_ERROR", "see details"),
        ('"no"', "INTERNAL_ERROR", "see details"),
        ("[1]", "INTERNAL_ERROR", "see details"),
        ('{"code": 7, "message": "full"}', "INTERNAL_ERROR", "full"),
        ('{"code": "OURS", "message": "full", "more": 1}', "OURS", "full"),
    ],
)
async def test_an_error_that_another_program_wrote_hides_no_task(
    client: AsyncTaskClient, workshop: Workshop, error: str, code: str, message: str
) -> None:
    task, other = await client.index(7), await client.index(7)
    await set_status(workshop.sessions, task.message_id, status="failed", error=error)

    listed = {found.id: found for found in (await client.list()).tasks}
    assert set(listed) == {task.id, other.id}
    shown = listed[task.id].error
    assert shown is not None
    assert (shown.code, shown.details) == (code, {"found": json.loads(error)})
    assert message in shown.message
    assert [event.error async for event in client.watch(task.id)] == [shown]
    with pytest.raises(outcome.TaskFailed, match=code):
        await deliver(workshop, Recorder(), delivery(message_id=task.message_id, project_id=7))


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
    waiting = asyncio.create_task(client.wait(task.id, timeout_s=60, poll_interval_s=0.01))
    await workshop.until_there_is("SELECT 1 FROM task WHERE status = 'started'")
    assert not waiting.done()
    seen.set()

    finished = await waiting
    assert finished.status is TaskStatus.SUCCEEDED
    assert finished.progress == 100
    assert finished.result == await client.result(task.id) == await run
    assert finished.started_at is not None
    assert finished.finished_at is not None
    assert finished.started_at <= finished.finished_at


async def test_waiting_for_too_long_is_a_timeout(client: AsyncTaskClient) -> None:
    task = await client.submit(IndexDocuments(project_id=7))

    says = f"task {task.id} is not final after 1 s: it is pending"
    with pytest.raises(TimeoutError, match=says):
        await client.wait(task.id, timeout_s=1, poll_interval_s=0.01)


# Typed requests and how they are submitted


async def test_a_typed_method_submits_what_the_schema_says(
    client: AsyncTaskClient, broker_url: str
) -> None:
    tasks = [
        await client.index(7, is_incremental=False, correlation_id="c"),
        await client.train(7, 3, classifier="svm", classifier_params={"C": 2}),
        await client.predict(7, 3, None, model_version=4),
        await client.predict(7, 3, (5, 6)),
        await client.evaluate(7, 3),
    ]

    assert [(task.type, task.request) for task in tasks] == [
        ("index_documents", {"project_id": 7, "is_incremental": False}),
        (
            "train_field_model",
            {"project_id": 7, "field_id": 3, "classifier": "svm", "classifier_params": {"C": 2}},
        ),
        (
            "predict_field_documents",
            {"project_id": 7, "field_id": 3, "document_ids": None, "model_version": 4},
        ),
        ("predict_field_documents", {"project_id": 7, "field_id": 3, "document_ids": [5, 6]}),
        ("evaluate_field_model", {"project_id": 7, "field_id": 3}),
    ]
    assert tasks[0].correlation_id == "c"
    assert len(messages(broker_url, "training")) == 2


WEST = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"classifier": 7}, "classifier: Input should be a valid string"),
        ({"colour": "blue"}, "colour: Extra inputs"),
        ({"classifier_params": {"C": float("nan")}}, r"request\.classifier_params\.C holds"),
        ({"classifier_params": {"a": [1, "\0"]}}, r"request\.classifier_params\.a\[1\] holds"),
        ({"classifier_params": {"a\0": 1}}, r"request\.classifier_params holds"),
        ({"correlation_id": "\udc00"}, "correlation_id holds"),
        ({"idempotency_key": "a\0"}, "idempotency_key holds"),
        ({"classifier_params": {"C": object()}}, "JSON has no place for"),
        ({"idempotency_key": ""}, "0 characters: expected 1 to 500"),
        ({"idempotency_key": "x" * 501}, "501 characters"),
        ({"idempotency_key": 4711}, "is of type int: expected a text"),
        ({"correlation_id": "x" * 501}, "correlation_id has 501 characters"),
        ({"correlation_id": {"a": 1}}, "is of type dict: expected a text"),
        ({"delay_s": -1}, "expected seconds from now"),
        ({"delay_s": float("nan")}, "expected seconds from now"),
        ({"delay_s": 1e300}, "expected seconds from now"),
        ({"delay_s": "an hour"}, "expected seconds from now"),
        ({"not_before": datetime(2030, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"not_before": datetime(2030, 1, 1, tzinfo=UTC), "delay_s": 1}, "not both"),
        ({"not_before": "2030-01-01"}, "is of type str: expected a datetime"),
        ({"not_before": datetime.max.replace(tzinfo=UTC)}, "would ever run"),
        ({"not_before": datetime.max.replace(tzinfo=WEST)}, "would ever run"),
        ({"options": {"delay": 5}}, "no options: delay; there are correlation_id"),
        ({"priority": 1_001}, r"expected -1000 \(first\) to 1000 \(last\)"),
        ({"priority": "high"}, "expected -1000"),
        ({"priority": True}, "expected -1000"),
    ],
)
async def test_what_cannot_be_a_task_is_refused_in_clear_words(
    client: AsyncTaskClient, broker_url: str, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidTask, match=says):
        await client.train(7, 3, **arguments)

    assert (await client.list()).tasks == []
    assert messages(broker_url, "training") == []


async def test_a_key_gives_the_same_task_however_often_it_is_submitted(
    client: AsyncTaskClient, broker_url: str
) -> None:
    tasks = await asyncio.gather(
        *(client.train(7, 3, idempotency_key="double click") for _ in range(8))
    )

    assert len({task.id for task in tasks}) == 1
    assert len(messages(broker_url, "training")) == 1
    assert (await client.train(8, 3, idempotency_key="double click")).id != tasks[0].id
    with pytest.raises(IdempotencyConflict, match=f"belongs to task {tasks[0].id}"):
        await client.train(7, 4, idempotency_key="double click")


@pytest.mark.parametrize("by", ["delay_s", "not_before"])
async def test_a_task_that_may_not_run_yet_waits_beside_the_queue(
    client: AsyncTaskClient, broker_url: str, by: str
) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    if by == "delay_s":
        task = await client.index(7, delay_s=3600)
    else:
        task = await client.index(7, not_before=due)

    assert task.not_before is not None
    # Counted from when it was asked, or from when it was sent.
    assert due <= task.not_before <= datetime.now(UTC) + timedelta(hours=1)
    assert messages(broker_url, "indexing") == []
    with redis.Redis.from_url(broker_url) as connection:
        (entry,) = connection.hvals("dramatiq:indexing.DQ.msgs")
    eta = datetime.fromtimestamp(Message.decode(entry).options["eta"] / 1000, UTC)
    # Its delay is counted from when it is sent.
    assert abs(eta - task.not_before) < timedelta(minutes=1)
    assert (await client.index(7, not_before=datetime(2020, 1, 1, tzinfo=UTC))).id
    assert len(messages(broker_url, "indexing")) == 1


async def test_a_priority_goes_with_the_message_and_stays_with_the_task(
    client: AsyncTaskClient, broker_url: str
) -> None:
    plain, urgent = await client.index(7), await client.index(7, priority=-5)

    assert (plain.priority, urgent.priority) == (None, -5)
    options = [message.options for message in messages(broker_url, "indexing")]
    assert [option.get("priority") for option in options] == [None, -5]


async def test_tasks_are_listed_in_pages_by_what_they_are(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    ours = [await client.index(7) for _ in range(5)]
    await client.index(8)
    training = await client.train(7, 3)
    await set_status(sessions, ours[0].message_id, status="succeeded")

    first = await client.list(project_id=7, type="index_documents", limit=2)
    second = await client.list(
        project_id=7, type="index_documents", limit=2, before=first.next_before
    )
    third = await client.list(
        project_id=7, type="index_documents", limit=2, before=second.next_before
    )

    found = [task.id for page in (first, second, third) for task in page.tasks]
    assert found == [task.id for task in reversed(ours)]
    assert third.next_before is None
    assert [task.id for task in (await client.list(status="succeeded")).tasks] == [ours[0].id]
    assert [task.id for task in (await client.list(type="train_field_model")).tasks] == [
        training.id
    ]
    assert len((await client.list()).tasks) == 7


@pytest.mark.parametrize(
    "filters",
    [
        {"project_id": 2**70},
        {"before": -(2**70)},
        {"parent": 2**70},
        {"status": "no such"},
        {"type": "a\0b"},
        {"type": "\ud800"},
    ],
)
async def test_what_no_row_can_be_lists_nothing(
    client: AsyncTaskClient, filters: dict[str, Any]
) -> None:
    await client.index(7)

    assert await client.list(**filters) == TaskPage(tasks=[], next_before=None)


@pytest.mark.parametrize("limit", [0, -1, 2**70])
async def test_a_page_has_at_least_one_task(client: AsyncTaskClient, limit: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        await client.list(limit=limit)


async def test_a_key_knows_numbers_that_the_database_writes_in_another_way(
    client: AsyncTaskClient,
) -> None:
    params = {"a": 1e23, "b": 5e-324, "c": -0.0, "d": 0.1, "e": 10**30}
    tasks = [
        await client.train(7, 3, classifier_params=params, idempotency_key="k") for _ in range(2)
    ]

    assert tasks[0].id == tasks[1].id


# Cancelling


@pytest.mark.parametrize("status", ["pending", "retrying"])
async def test_a_task_that_waits_is_cancelled_at_once(
    client: AsyncTaskClient, sessions: SessionFactory, status: str
) -> None:
    task = await client.index(7)
    await set_status(sessions, task.message_id, status=status)

    cancelled = await client.cancel(task.id)

    assert cancelled.status is TaskStatus.CANCELLED
    assert cancelled.error is not None
    assert cancelled.error.code == "CANCELLED"
    assert cancelled.finished_at is not None
    assert cancelled == await client.status(task.id)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_a_task_that_has_ended_is_not_cancelled(
    client: AsyncTaskClient, sessions: SessionFactory, status: str
) -> None:
    task = await client.index(7)
    await set_status(sessions, task.message_id, status=status)

    with pytest.raises(TaskFinished, match=f"is {status}: it cannot be cancelled any more"):
        await client.cancel(task.message_id)
    with pytest.raises(TaskNotFound):
        await client.cancel(4711)


async def test_a_task_whose_worker_is_gone_is_cancelled_at_once(
    client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.index(7)
    await set_status(sessions, task.message_id, status="started", lease_owner="gone")

    assert (await client.cancel(task.id)).status is TaskStatus.CANCELLED


async def test_a_running_task_is_stopped_by_its_worker(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    task = await client.index(7)
    message = delivery(message_id=task.message_id, project_id=7)
    was_stopped = []

    async def service(context: TaskContext, request: Request) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_stopped.append(context.reason(asyncio.CancelledError()))
            raise

    run = asyncio.create_task(deliver(workshop, service, message))
    await workshop.until_there_is("SELECT 1 FROM task WHERE status = 'started'")
    asked = await client.cancel(task.id)
    assert asked.status is TaskStatus.STARTED
    assert asked.cancel_requested_at == (await client.cancel(task.id)).cancel_requested_at

    with pytest.raises(outcome.TaskFailed, match="cancelled on request while it ran"):
        await run

    cancelled = await client.status(task.id)
    assert cancelled.status is TaskStatus.CANCELLED
    assert cancelled.error is not None
    assert cancelled.error.code == "CANCELLED"
    assert [type(reason).__name__ for reason in was_stopped] == ["WorkStopped"]


async def test_what_is_cancelled_while_it_runs_never_succeeds(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    """Its work was done before it was stopped: the word that was given counts."""
    task = await client.index(7)

    async def service(context: TaskContext, request: Request) -> Any:
        await client.cancel(task.id)
        return index_result(7)

    with pytest.raises(outcome.TaskFailed, match="CANCELLED"):
        await deliver(workshop, service, delivery(message_id=task.message_id, project_id=7))
    assert (await client.status(task.id)).status is TaskStatus.CANCELLED


async def test_a_cancelled_task_that_a_shutdown_handed_back_never_runs(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    task = await client.index(7)
    message = delivery(message_id=task.message_id, project_id=7)
    await workshop.execute("UPDATE task SET cancel_requested_at = now()")
    service = Recorder()

    with pytest.raises(outcome.TaskFailed, match="CANCELLED"):
        await deliver(workshop, service, message)

    assert service.runs == []
    assert (await client.status(task.id)).status is TaskStatus.CANCELLED


@pytest.mark.slow
async def test_a_cancelled_training_leaves_a_failed_version_and_no_file(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    before = content_below(workshop.path)
    for document_id in project.training_ids:
        workshop.document(project, document_id).write_text("animals vehicles " * 500_000)
    task = await client.train(project.project_id, project.field_id)
    message = delivery(
        message_id=task.message_id, project_id=project.project_id, field_id=project.field_id
    )
    run = asyncio.create_task(deliver(workshop, train_field_model, message, schema=TrainFieldModel))
    await workshop.until_there_is("SELECT 1 FROM model WHERE status = 'training'")
    await client.cancel(task.id)

    with pytest.raises(outcome.TaskFailed, match="CANCELLED"):
        await run

    versions = await workshop.rows("SELECT version, status, metrics FROM model ORDER BY version")
    assert [(row["version"], row["status"]) for row in versions] == [(1, "ready"), (2, "failed")]
    assert versions[1]["metrics"]["error"]["code"] == "CANCELLED"
    assert not workshop.model(project, 2).exists()
    assert list(workshop.path.glob(".scratch/*")) == []
    assert len(before) > 0
    assert (await workshop.row("SELECT model_status FROM project"))["model_status"] == "ready"


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


@pytest.mark.slow_variants
@pytest.mark.parametrize("way", ["wait", "watch"])
def test_closing_ends_whoever_waits_in_another_thread(
    database_uri: str, broker_url: str, way: str
) -> None:
    client = TaskClient(database_uri=database_uri, broker_url=broker_url)
    task_id = client.index(7).id
    waits = threading.Event()

    def follow() -> None:
        waits.set()
        if way == "wait":
            client.wait(task_id)
        else:
            list(client.watch(task_id))

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        waits.wait(60)
        time.sleep(0.5)
        client.close()

        with pytest.raises(CancelledError):
            following.result(60)


@pytest.fixture
def felt_interrupts() -> Iterator[None]:
    """Python's own handler, which a process that a shell has put in the background goes without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# An interrupt that is not felt is a wait for ever.
@pytest.mark.slow_variants
@pytest.mark.timeout(60)
@pytest.mark.usefixtures("felt_interrupts")
@pytest.mark.parametrize("way", ["wait", "watch"])
def test_an_interrupt_is_felt_that_does_not_wake_the_thread_which_waits(
    sync_client: TaskClient, way: str
) -> None:
    """As one that comes just before it begins to wait, or that the kernel gives another thread."""
    task_id = sync_client.index(7).id

    def interrupt() -> None:
        time.sleep(0.5)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        list(getattr(sync_client, way)(task_id))

    assert sync_client.status(task_id).status is TaskStatus.PENDING


def test_every_method_is_there_without_an_event_loop(sync_client: TaskClient) -> None:
    submitted = [
        sync_client.index(7, idempotency_key="k"),
        sync_client.train(7, 3),
        sync_client.predict(7, 3, [1, 2]),
        sync_client.evaluate(7, 3),
    ]

    assert sync_client.index(7, idempotency_key="k") == submitted[0]
    assert [task.id for task in sync_client.list(project_id=7).tasks] == [
        task.id for task in reversed(submitted)
    ]
    assert sync_client.cancel(submitted[0].id).status is TaskStatus.CANCELLED


@pytest.mark.parametrize(
    "uri", ["sqlite:///hunter2", "postgresql+psycopg://u:hunter2@h/d", "hunter2"]
)
def test_a_database_that_is_no_postgresql_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(ValueError, match=r"postgresql\+asyncpg://") as raised:
        TaskClient(database_uri=uri, broker_url="redis://localhost")

    assert "hunter2" not in str(raised.value)


def test_every_error_of_the_client_is_one_family() -> None:
    for error in (BrokerUnavailable, InvalidTask, TaskNotFound, TaskNotFinished, TaskFailed):
        assert issubclass(error, TaskClientError)
        assert error.__doc__


def test_numbers_that_no_row_has_are_told_as_what_is_not_there(sync_client: TaskClient) -> None:
    huge = 2**63
    for look in (
        lambda: sync_client.find_field(huge, "topic"),
        lambda: sync_client.documents.create_field(huge, "topic"),
        lambda: sync_client.documents.find(huge, ["letter-1"]),
        lambda: sync_client.documents.suspects(huge, "topic"),
    ):
        with pytest.raises((UnresolvedName, DocumentError), match=str(huge)):
            look()
    project_id = sync_client.documents.create_project("p")
    field_id = sync_client.documents.create_field(project_id, "topic")
    for limit in (0, huge):
        with pytest.raises(ValueError, match="expected 1 or more"):
            sync_client.documents.suspects(project_id, "topic", limit=limit)
        with pytest.raises(ValueError, match="expected 1 or more"):
            sync_client.models.history(field_id, limit=limit)
    with pytest.raises(ValueError, match="NUL character"):
        sync_client.queues.pause(QueueName.TRAINING, reason="a\0")
