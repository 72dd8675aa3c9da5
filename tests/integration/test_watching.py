"""Watching a task: its row is the truth, and Redis tells more as long as it is there."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
import redis.asyncio
from loguru import logger
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient, TaskClient, TaskEvent, TaskNotFound
from lexiclass_core.events import live_key
from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import IndexDocuments, Request
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.execution.outcome import RetryLater
from tests.support.deliveries import Recorder, come_due, deliver, delivery, index_result
from tests.support.services import Workshop
from tests.support.workers import wait_until

Run = Callable[[str, Any], Coroutine[Any, Any, Any]]

TOTAL = 1_000
STEPS = (400, 700, 900, TOTAL - 1)

# A safeguard: nothing here takes as long.
HANG_S = 60
# The row is looked at once, and then not again in the time of a test.
NEVER_S = 3_600


@pytest.fixture
async def server(broker_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(broker_url) as server:
        yield server


@pytest.fixture
async def live(broker_url: str) -> AsyncIterator[LiveEvents]:
    live = LiveEvents(broker_url, "dramatiq")
    yield live
    await live.close()


@pytest.fixture
def run(workshop: Workshop, live: LiveEvents) -> Run:
    """Run a service for a message that was submitted."""

    def run(message_id: str, service: Any) -> Coroutine[Any, Any, Any]:
        message = delivery(message_id=message_id, project_id=7)
        return deliver(workshop, service, message, live=live)

    return run


def working(*waits: Callable[[], Awaitable[object]]) -> Any:
    """A service that reports one of ``STEPS`` after the other, and waits after each."""

    async def service(task: TaskContext, request: Request) -> Any:
        task.progress.plan({"index": 9, "write": 1}, units={"index": "documents"})
        for done, wait in zip(STEPS, waits, strict=False):
            task.progress.report("index", done, TOTAL)
            await wait()
        return index_result(7)

    return service


async def until_told(server: redis.asyncio.Redis, task_id: int, done: int) -> None:
    """Until whoever comes now hears of so many documents."""
    async with asyncio.timeout(HANG_S):
        while True:
            told = await server.get(live_key("dramatiq", task_id))
            if told is not None and TaskEvent.model_validate_json(told).done == done:
                return
            await asyncio.sleep(0.01)


async def listeners(server: redis.asyncio.Redis) -> int:
    """Connections that are subscribed to anything."""
    return len(await server.client_list(_type="pubsub"))


async def until_there_are(server: redis.asyncio.Redis, count: int) -> None:
    async with asyncio.timeout(HANG_S):
        while await listeners(server) != count:
            await asyncio.sleep(0.01)


async def test_a_task_is_seen_from_its_queue_to_its_end(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis
) -> None:
    first, task = await client.index(7), await client.index(7)
    seen: list[TaskEvent] = []
    is_next = asyncio.Event()

    async def watch() -> None:
        async for event in client.watch(task.id, timeout_s=HANG_S, poll_interval_s=0.1):
            seen.append(event)
            if event.queue_position == 0:
                is_next.set()

    watching = asyncio.create_task(watch())
    await until_there_are(server, 1)
    await client.cancel(first.id)
    await asyncio.wait_for(is_next.wait(), HANG_S)
    await run(task.message_id, working(*(partial(until_told, server, task.id, n) for n in STEPS)))
    await asyncio.wait_for(watching, HANG_S)

    assert [event.queue_position for event in seen if event.status is TaskStatus.PENDING] == [1, 0]
    assert (seen[-1].status, seen[-1].progress, seen[-1].attempt) == (TaskStatus.SUCCEEDED, 100, 1)
    running = [event for event in seen if event.status is TaskStatus.STARTED]
    told = [event for event in running if event.done is not None]
    assert [event.done for event in told] == list(STEPS)
    assert {(event.stage, event.unit, event.total) for event in told} == {
        ("index", "documents", TOTAL)
    }
    assert [event.progress for event in running] == sorted(event.progress for event in running)
    last = told[-1]
    assert last.rate is not None
    assert last.eta_s is not None
    assert last.task_eta_s is not None
    assert last.rate > 0
    assert 0 <= last.eta_s <= last.task_eta_s


async def test_whoever_comes_late_sees_at_once_how_far_it_is(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7)
    end = asyncio.Event()
    running = asyncio.create_task(run(task.message_id, working(end.wait)))
    await until_told(server, task.id, STEPS[0])

    async with aclosing(client.watch(task.message_id, poll_interval_s=NEVER_S)) as events:
        first = await anext(events)
        second = await asyncio.wait_for(anext(events), HANG_S)
    assert (first.status, second.status) == (TaskStatus.STARTED, TaskStatus.STARTED)
    assert (second.done, second.total) == (STEPS[0], TOTAL)

    end.set()
    await running
    (last,) = [event async for event in client.watch(task.id)]
    assert last.status is TaskStatus.SUCCEEDED


async def test_the_end_is_known_at_once_however_seldom_the_row_is_looked_at(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7)
    watching = asyncio.create_task(_collect(client, task.id, poll_interval_s=NEVER_S))
    await until_there_are(server, 1)
    await run(task.message_id, Recorder())

    assert (await asyncio.wait_for(watching, HANG_S))[-1].status is TaskStatus.SUCCEEDED


async def test_a_cancelled_task_is_known_to_be_so_at_once(
    client: AsyncTaskClient, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7, delay_s=60)
    watching = asyncio.create_task(_collect(client, task.id, poll_interval_s=NEVER_S))
    await until_there_are(server, 1)
    await client.cancel(task.id)

    first, last = await asyncio.wait_for(watching, HANG_S)
    # It is not due: nobody can say how many will come before it.
    assert (first.queue_position, first.not_before) == (None, task.not_before)
    assert last.status is TaskStatus.CANCELLED
    assert last.error is not None


async def _collect(client: AsyncTaskClient, task: int, **options: Any) -> list[TaskEvent]:
    return [event async for event in client.watch(task, **options)]


@pytest.mark.slow
async def test_without_redis_the_row_is_watched(
    database_uri: str, client: AsyncTaskClient, run: Run
) -> None:
    task = await client.index(7)
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    seen: list[TaskEvent] = []
    end = asyncio.Event()

    async def watch(deaf: AsyncTaskClient) -> None:
        async for event in deaf.watch(task.id, timeout_s=HANG_S, poll_interval_s=0.05):
            seen.append(event)
            if event.stage == "index" and event.progress > 20:
                end.set()

    async with AsyncTaskClient(database_uri=database_uri, broker_url=nowhere) as deaf:
        await asyncio.gather(watch(deaf), run(task.message_id, working(end.wait)))

    assert [event.status for event in seen] == sorted(event.status for event in seen)
    assert seen[-1].status is TaskStatus.SUCCEEDED


@pytest.mark.slow_variants
@pytest.mark.parametrize("fault", ["flushed", "disconnected"])
async def test_a_fault_of_redis_hides_neither_progress_nor_the_end(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis, fault: str
) -> None:
    task = await client.index(7)
    seen: list[TaskEvent] = []
    heard = {done: asyncio.Event() for done in STEPS}
    broken = asyncio.Event()

    async def watch() -> None:
        async for event in client.watch(task.id, timeout_s=HANG_S, poll_interval_s=0.2):
            seen.append(event)
            if event.done is not None:
                heard[event.done].set()

    watching = asyncio.create_task(watch())
    before, after = STEPS[:2]
    service = working(broken.wait, heard[after].wait)
    running = asyncio.create_task(run(task.message_id, service))
    await heard[before].wait()
    if fault == "flushed":
        await server.flushall()
    else:
        assert await server.client_kill_filter(_type="pubsub") == 1
        assert await server.client_kill_filter(_type="normal", skipme=True)
    broken.set()
    # It is heard of again, in full: or else the work would not end.
    await asyncio.gather(watching, running)

    assert seen[-1].status is TaskStatus.SUCCEEDED
    assert [event.progress for event in seen] == sorted(event.progress for event in seen)


@pytest.mark.slow
async def test_nothing_is_shown_of_a_worker_that_has_lost_the_task_nor_what_is_no_event(
    client: AsyncTaskClient, run: Run, live: LiveEvents, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7)
    end = asyncio.Event()
    stale = TaskEvent(
        task_id=task.id, status=TaskStatus.STARTED, progress=99, stage="stale", token=0
    )
    seen: list[TaskEvent] = []
    heard = asyncio.Event()

    async def watch() -> None:
        async for event in client.watch(task.id, timeout_s=HANG_S, poll_interval_s=0.1):
            seen.append(event)
            if event.stage == "index":
                heard.set()

    watching = asyncio.create_task(watch())
    await until_there_are(server, 1)
    running = asyncio.create_task(run(task.message_id, working(end.wait)))
    while not heard.is_set():
        for _ in range(3):
            await live.tell(stale)
            await server.publish(live_key("dramatiq", task.id), b'{"progress": "a lot"}')
            await asyncio.sleep(0.1)
    end.set()
    await asyncio.gather(watching, running)

    assert {event.stage for event in seen} == {None, "index"}
    assert seen[-1].status is TaskStatus.SUCCEEDED


async def test_an_attempt_that_failed_is_followed_by_the_next(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis, workshop: Workshop
) -> None:
    task = await client.index(7)
    watching = asyncio.create_task(_collect(client, task.id, poll_interval_s=NEVER_S))
    await until_there_are(server, 1)
    with pytest.raises(RetryLater):
        await run(task.message_id, Recorder(ConnectionError("gone")))
    await asyncio.sleep(0.2)
    await come_due(workshop, task.message_id)
    await run(task.message_id, Recorder())

    seen = await asyncio.wait_for(watching, HANG_S)
    assert [event.status for event in seen] == ["pending", "retrying", "succeeded"]
    assert seen[1].error is not None
    assert seen[1].next_attempt_at is not None
    assert seen[-1].attempt == 2


# Leaving


@pytest.mark.slow
async def test_no_watcher_leaves_a_connection_behind(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7)
    async with aclosing(client.watch(task.id)) as left:
        await anext(left)
        assert await listeners(server) == 1
    with pytest.raises(TimeoutError):
        await _collect(client, task.id, timeout_s=0.2)
    cancelled = asyncio.create_task(_collect(client, task.id))
    await until_there_are(server, 1)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    many = [asyncio.create_task(_collect(client, task.id)) for _ in range(20)]
    await until_there_are(server, 20)
    await run(task.message_id, Recorder())
    await asyncio.wait_for(asyncio.gather(*many), HANG_S)

    await until_there_are(server, 0)
    assert await server.pubsub_channels() == []


async def test_many_watchers_leave_connections_for_others(
    client: AsyncTaskClient, server: redis.asyncio.Redis
) -> None:
    task = await client.index(7)
    watchers = [client.watch(task.id) for _ in range(110)]
    try:
        await asyncio.gather(*(anext(watcher) for watcher in watchers))

        assert await listeners(server) == len(watchers)
        assert await client.broker_answers()
    finally:
        for watcher in watchers:
            await watcher.aclose()


async def test_a_task_that_is_not_there_is_not_watched(
    client: AsyncTaskClient, server: redis.asyncio.Redis
) -> None:
    for missing in (4711, "no such message"):
        with pytest.raises(TaskNotFound):
            await anext(client.watch(missing))
    assert await listeners(server) == 0


async def test_a_task_that_takes_too_long_is_a_timeout(client: AsyncTaskClient) -> None:
    task = await client.index(7)

    with pytest.raises(TimeoutError, match=r"not final after 0\.3 s"):
        await _collect(client, task.id, timeout_s=0.3)


async def test_whoever_waits_for_no_time_looks_once(client: AsyncTaskClient) -> None:
    task = await client.index(7)
    await client.cancel(task.id)

    (event,) = await _collect(client, task.id, timeout_s=0)

    assert event.status is TaskStatus.CANCELLED


async def test_a_table_that_is_locked_holds_up_nobody_beyond_their_time(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    handle = await client.start(IndexDocuments(project_id=7))
    async with workshop.sessions.begin() as session:
        await session.execute(text("LOCK TABLE task IN ACCESS EXCLUSIVE MODE"))

        # It is locked until they have given up.
        with pytest.raises(TimeoutError, match=r"after 0\.2 s: it could not be looked at"):
            await handle.result(timeout_s=0.2)
        with pytest.raises(TimeoutError, match=r"after 0\.2 s: it could not be looked at"):
            await client.wait(handle.id, timeout_s=0.2)
    assert (await handle.status()).status is TaskStatus.PENDING


async def test_a_watcher_that_never_pauses_sees_the_end(client: AsyncTaskClient) -> None:
    task = await client.index(7)
    watching = asyncio.create_task(_collect(client, task.id, poll_interval_s=0))
    await asyncio.sleep(0.2)
    await client.cancel(task.id)

    events = await asyncio.wait_for(watching, HANG_S)
    assert [event.status for event in events] == [TaskStatus.PENDING, TaskStatus.CANCELLED]


def test_a_task_is_watched_without_an_event_loop(sync_client: TaskClient, broker_url: str) -> None:
    task = sync_client.index(7)
    with redis.Redis.from_url(broker_url) as server:
        for event in sync_client.watch(task.id):
            assert (event.status, event.queue_position) == (TaskStatus.PENDING, 0)
            assert len(server.client_list(_type="pubsub")) == 1
            break
        wait_until(lambda: not server.client_list(_type="pubsub"))
    with pytest.raises(TimeoutError):
        list(sync_client.watch(task.id, timeout_s=0.2))
    with pytest.raises(TaskNotFound):
        next(sync_client.watch(4711))
    sync_client.cancel(task.id)
    (last,) = sync_client.watch(task.id)
    assert last.status is TaskStatus.CANCELLED


# The queue


async def _position(client: AsyncTaskClient, task: int) -> int | None:
    async with aclosing(client.watch(task)) as events:
        return (await anext(events)).queue_position


async def test_a_position_counts_what_is_due_before_in_the_same_queue(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    await client.predict(7, 3, [1])
    running, waiting = await client.index(7), await client.index(7)
    delayed = await client.index(7, delay_s=60)
    gone = await client.index(8)
    last = await client.index(9)
    await client.cancel(gone.id)
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("UPDATE task SET status = 'started' WHERE id = :id"), {"id": running.id}
        )

    places = [await _position(client, task.id) for task in (running, waiting, delayed, last)]

    assert places == [None, 0, None, 1]


async def test_a_retry_that_is_due_keeps_its_place(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    retried, waiting = await client.index(7), await client.index(7)
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("UPDATE task SET status = 'retrying', next_attempt_at = now() WHERE id = :id"),
            {"id": retried.id},
        )

    assert await _position(client, retried.id) == 0
    assert await _position(client, waiting.id) == 1


async def test_a_task_of_a_higher_priority_comes_before_those_that_wait_longer(
    client: AsyncTaskClient,
) -> None:
    train, evaluate, urgent, late = [
        await client.train(7, 1),
        await client.evaluate(7, 1),
        await client.train(7, 1, priority=-1),
        await client.train(7, 1, priority=100),
    ]

    places = [await _position(client, task.id) for task in (urgent, evaluate, train, late)]
    assert places == [0, 1, 2, 3]


async def test_a_position_far_back_is_not_counted_to_the_end(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    async with workshop.sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO task (message_id, type, queue) SELECT 'm' || n, 'index_documents', "
                "'indexing' FROM generate_series(1, 1500) n"
            )
        )
    task = await client.index(7)

    assert await _position(client, task.id) == 1_000


# What is told


@pytest.mark.slow
async def test_redis_is_told_at_most_twice_a_second_and_the_row_every_few_seconds(
    client: AsyncTaskClient, run: Run, server: redis.asyncio.Redis, workshop: Workshop
) -> None:

    async def hasten(task: TaskContext, request: Request) -> Any:
        task.progress.plan({"index": 1}, units={"index": "documents"})
        for done in range(250):
            task.progress.report("index", done, TOTAL)
            await asyncio.sleep(0.01)
        return index_result(7)

    task = await client.index(7)
    key = live_key("dramatiq", task.id)
    told: list[bytes] = []
    async with workshop.sessions.begin() as session:
        await session.execute(text("CREATE TABLE written (progress int)"))
        await session.execute(
            text(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO written VALUES (NEW.progress); RETURN NEW; END $$"
            )
        )
        await session.execute(
            text(
                "CREATE TRIGGER note AFTER UPDATE OF stage ON task FOR EACH ROW "
                "WHEN (NEW.status = 'started' AND NEW.stage IS NOT NULL) EXECUTE FUNCTION note()"
            )
        )
    async with server.pubsub() as channel:
        await channel.subscribe(key)
        began = time.monotonic()
        await run(task.message_id, hasten)
        while (message := await channel.get_message(timeout=0.5)) is not None:
            if message["type"] == "message":
                told.append(message["data"])

    passed_s = time.monotonic() - began
    events = [TaskEvent.model_validate_json(payload) for payload in told if payload]
    assert 1 < len(events) <= passed_s / 0.5
    # The last says that the row has changed.
    assert [payload for payload in told if not payload] == [b""]
    assert 0 < await server.ttl(key) <= 30
    row = await workshop.row("SELECT count(*) AS times FROM written")
    assert 1 <= row["times"] <= 1 + passed_s / 3


@pytest.mark.slow
async def test_a_redis_that_is_down_costs_a_task_nothing(workshop: Workshop) -> None:
    live = LiveEvents(f"redis://127.0.0.1:{free_port()}/0", "dramatiq")
    warned = asyncio.Event()
    sink = logger.add(lambda _: warned.set(), filter="lexiclass_worker.execution.live_events")

    result = await deliver(workshop, working(warned.wait), delivery(project_id=7), live=live)
    await live.close()
    logger.remove(sink)

    assert result["status"] == "completed"


async def test_connections_that_died_in_the_pool_are_no_redis_that_is_away(
    client: AsyncTaskClient, broker_url: str
) -> None:
    task = await client.index(7)
    event = TaskEvent(task_id=task.id, status=TaskStatus.STARTED, progress=5)
    with redis.Redis.from_url(broker_url) as connection:
        connection.set(live_key("dramatiq", task.id), event.model_dump_json())
        for _ in range(2):
            assert await client.broker_answers()
            connection.client_kill_filter(_type="normal", skipme=True)
            assert await client.latest([task.id]) == {task.id: event}
            connection.client_kill_filter(_type="normal", skipme=True)
