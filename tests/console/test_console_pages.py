"""What the pages show, and what people do on them."""

import asyncio
import html
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.codes import ADVICE, ErrorCode
from lexiclass_core.db import SessionFactory
from lexiclass_core.schemas import TrainFieldModel
from lexiclass_core.statuses import Role
from tests.support.console import OURS, browser, log_in, words
from tests.support.streams import events

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202e &amp;"


async def add_task(sessions: SessionFactory, **columns: Any) -> int:
    """Write a task's row."""
    given = {
        "message_id": f"m{id(columns)}", "type": "train_field_model", "queue": "training",
        "project_id": 1, "request": json.dumps({"project_id": 1, "field_id": 2}),
    } | columns  # fmt: skip
    names = ", ".join(given)
    values = ", ".join(f":{name}" for name in given)
    async with sessions.begin() as session:
        row = await session.execute(
            text(f"INSERT INTO task ({names}) VALUES ({values}) RETURNING id"),
            given,
        )
        return int(row.scalar_one())


async def fail(sessions: SessionFactory, task_id: int, code: str, message: str) -> None:
    """Have a task fail as a worker would write it."""
    async with sessions.begin() as session:
        await session.execute(
            text("UPDATE task SET status = 'started', attempts = 1 WHERE id = :id"), {"id": task_id}
        )
        await session.execute(
            text(
                "UPDATE task SET status = 'failed', error = CAST(:error AS jsonb), "
                "started_at = now(), finished_at = now() WHERE id = :id"
            ),
            {"id": task_id, "error": json.dumps({"code": code, "message": message})},
        )


async def test_the_overview_of_an_empty_installation_says_what_to_do(
    viewer: httpx.AsyncClient,
) -> None:
    page = words(await viewer.get("/"))
    assert "No worker is there. Start one: lexiclass-worker run" in page
    assert "None." in page
    assert "lexiclass-worker project import PATH" in page
    assert "There are no tasks yet" in words(await viewer.get("/tasks"))


async def test_a_failure_of_another_day_is_not_listed_as_one_of_the_last(
    viewer: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.train(7, 3)
    await fail(sessions, task.id, "CRASHED", "gone")
    assert "The latest open one" in words(await viewer.get("/"))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE task SET finished_at = now() - interval '2 days'"))
    page = words(await viewer.get("/"))
    assert "Failed in the last day None. Failed before that" in page
    assert "The latest" not in page


async def test_an_operator_finds_out_why_a_task_failed_and_runs_it_again(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.train(7, 3)
    await fail(sessions, task.id, "NO_TRAINING_LABELS", "field 3 has no training labels")

    first = await operator.get("/")
    assert f'href="/tasks/{task.id}"' in first.text
    assert "NO_TRAINING_LABELS" in words(first)
    page = await operator.get(f"/tasks/{task.id}")
    assert "field 3 has no training labels" in words(page)
    assert ADVICE[ErrorCode.NO_TRAINING_LABELS] in words(page)
    answer = await operator.post(
        "/actions/task.retry", data={"task_id": str(task.id)}, headers=OURS
    )

    new = await client.list(limit=1)
    assert answer.url.path == f"/tasks/{new.tasks[0].id}"
    assert f"does what task {task.id} was to do" in words(answer)
    assert new.tasks[0].request == task.request
    activity = words(await operator.get("/activity"))
    assert "anna operator task.retry" in activity


async def test_whoever_is_told_of_a_task_finds_it(
    operator: httpx.AsyncClient, client: AsyncTaskClient
) -> None:
    task = await client.train(7, 3, correlation_id="job-12")
    for text_ in (str(task.id), f" {task.message_id} "):
        assert (await operator.get("/find", params={"text": text_})).url.path == f"/tasks/{task.id}"
    for text_ in ("job-12", "9" * 30, str(2**63), "0", "\x00", "/../x", "\u0664", ""):
        found = await operator.get("/find", params={"text": text_})
        assert found.status_code == 200
        assert found.url.path == "/tasks"
        assert (f'href="/tasks/{task.id}"' in found.text) is (text_ in {"job-12", ""})


async def test_cancelling_is_written_down_with_it_or_not_at_all(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.train(7, 3)
    data = {"task_id": str(task.id)}
    async with sessions.begin() as session:
        await session.execute(text("ALTER TABLE audit_event ADD CONSTRAINT none CHECK (false)"))
    with pytest.raises(Exception, match="none"):
        await operator.post("/actions/task.cancel", data=data, headers=OURS)
    assert (await client.status(task.id)).status == "pending"
    async with sessions.begin() as session:
        await session.execute(text("ALTER TABLE audit_event DROP CONSTRAINT none"))

    answer = await operator.post("/actions/task.cancel", data=data, headers=OURS)

    assert (await client.status(task.id)).status == "cancelled"
    assert f"Task {task.id} is cancelled." in words(answer)
    again = await operator.post("/actions/task.cancel", data=data, headers=OURS)
    assert again.status_code == 409
    assert "cannot be cancelled any more" in words(again)


async def test_bulk_acts_on_what_was_shown(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    shown = [(await client.train(7, 3)).id for _ in range(3)]
    for task_id in shown:
        await fail(sessions, task_id, "CRASHED", "gone")
    page = await operator.get("/tasks", params={"status": "failed"})
    assert "Retry all 3 shown" in words(page)
    later = (await client.train(7, 3)).id
    await fail(sessions, later, "CRASHED", "gone")

    answer = await operator.post(
        "/actions/tasks.retry",
        data={"task_ids": [str(each) for each in shown], "next": "/tasks?status=failed"},
        headers=OURS,
    )

    assert answer.url.path == "/tasks"
    assert answer.url.params["status"] == "failed"
    assert "3 tasks were submitted once more" in words(answer)
    assert len([task for task in (await client.list()).tasks if task.status == "pending"]) == 3


async def test_bulk_says_what_became_of_each_and_stops_at_none(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    failed, pending, gone = [(await client.train(7, 3)).id for _ in range(3)]
    await fail(sessions, failed, "CRASHED", "gone")
    async with sessions.begin() as session:
        await session.execute(text("DELETE FROM task WHERE id = :id"), {"id": gone})
    data = {"task_ids": [str(each) for each in (failed, pending, gone, 2**70)]}

    retried = words(await operator.post("/actions/tasks.retry", data=data, headers=OURS))
    (new,) = (task.id for task in (await client.list()).tasks if task.id not in {failed, pending})
    assert f"1 task was submitted once more: {new}." in retried
    assert f"1 cannot be submitted once more: {pending} (task {pending} is pending: " in retried
    assert f"2 are gone: {gone}, {2**70}." in retried

    cancelled = words(await operator.post("/actions/tasks.cancel", data=data, headers=OURS))
    assert "1 task was cancelled." in cancelled
    assert f"1 is not cancelled, having ended before: {failed}." in cancelled
    assert f"2 are gone: {gone}, {2**70}." in cancelled
    assert (await client.status(pending)).status == "cancelled"

    data = {"task_ids": [str(gone)]}
    for action, said in (("retry", "submitted once more"), ("cancel", "cancelled")):
        answer = await operator.post(f"/actions/tasks.{action}", data=data, headers=OURS)
        assert f"No tasks were {said}. 1 is gone: {gone}." in words(answer)


async def test_bulk_says_why_tasks_cannot_be_submitted_once_more(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    ids = [(await client.train(7, 3)).id for _ in range(30)]
    async with sessions.begin() as session:
        for statement in (
            "UPDATE task SET status = 'cancelled'",
            f"UPDATE task SET type = 'another_actor<i>' WHERE id >= {ids[0]}",
            f"UPDATE task SET type = 'train_field_model', parent_id = {ids[5]} WHERE id = {ids[1]}",
            (
                "UPDATE task SET type = 'train_field_model', request = request || "
                f"jsonb_build_object(repeat('long', 1000), 1) WHERE id = {ids[2]}"
            ),
        ):
            await session.execute(text(statement))
    data = {"task_ids": [str(each) for each in ids]}
    answer = await operator.post("/actions/tasks.retry", data=data, headers=OURS)
    said = html.unescape(words(answer))
    assert "No tasks were submitted once more. 30 cannot be submitted once more: " in said
    assert f": {ids[0]} (no actor has the name 'another_actor<i>'), {ids[1]} (it is a chunk" in said
    assert f"{ids[2]} (invalid arguments: longlong" in said
    assert f"long…), {ids[3]}, {ids[4]}, " in said
    assert f"{ids[19]} and more." in said
    assert "long" * 100 not in said
    assert "another_actor<i>" not in answer.text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"task_id": "x"},
        {"task_id": "0"},
        {"task_id": str(2**63)},
        {"task_id": "1", "more": "1"},
    ],
)
async def test_a_wrong_form_says_what_is_wrong(
    operator: httpx.AsyncClient, data: dict[str, str]
) -> None:
    answer = await operator.post("/actions/task.cancel", data=data or {"next": ""}, headers=OURS)
    assert answer.status_code == 422
    assert "task_id" in words(answer) or "more" in words(answer)


async def test_tasks_are_found_by_all_that_the_address_says(
    viewer: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    trained = await client.train(7, 3, options={"correlation_id": "click-1"})
    await client.index(8)
    failed = await client.train(9, 1)
    await fail(sessions, failed.id, "TIME_LIMIT", "too long")

    async def found(**query: str) -> set[int]:
        page = await viewer.get("/tasks", params=query)
        assert page.status_code == 200
        return {task for task in range(1, 4) if f'href="/tasks/{task}"' in page.text}

    assert await found() == {1, 2, 3}
    assert await found(status="pending") == {1, 2}
    assert await found(type="index_documents") == {2}
    assert await found(queue="training") == {1, 3}
    assert await found(error_code="TIME_LIMIT") == {3}
    assert await found(project_id="9") == {3}
    assert await found(text="click-1") == {trained.id}
    assert await found(text=trained.message_id) == {trained.id}
    assert await found(text="2") == {2}
    assert await found(before="2") == {1}
    assert await found(limit="1") == {3}
    assert await found(text="\0", status="\ud800".encode("utf-8", "surrogatepass").hex()) == set()
    assert "must be a number" in words(await viewer.get("/tasks", params={"project_id": "x"}))


async def test_what_others_wrote_is_shown_as_text(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    request = json.dumps({"project_id": 1, "x": NASTY})
    task_id = await add_task(
        sessions, type=NASTY, request=request, stage=NASTY, correlation_id=NASTY,
    )  # fmt: skip
    await fail(sessions, task_id, NASTY, NASTY)
    await operator.post(
        "/actions/queue.pause", data={"queue": "training", "reason": NASTY}, headers=OURS
    )
    for path in ("/", "/tasks", f"/tasks/{task_id}", "/queues", "/activity"):
        page = await operator.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


async def test_texts_are_hidden_from_those_who_may_not_see_them(
    database_uri: str, broker_url: str, sessions: SessionFactory
) -> None:
    task_id = await add_task(sessions, request=json.dumps({"project_id": 1, "secret": "kiwi"}))
    await fail(sessions, task_id, "CRASHED", "at the document kiwi")
    settings = ConsoleSettings(texts_from=Role.OPERATOR)
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    async with browser(app) as somebody:
        await log_in(somebody, sessions, Role.VIEWER)
        for path in ("/", "/tasks", f"/tasks/{task_id}"):
            assert "kiwi" not in (await somebody.get(path)).text
        await log_in(somebody, sessions, Role.OPERATOR)
        assert "kiwi" in (await somebody.get(f"/tasks/{task_id}")).text


async def test_reasons_that_quote_requests_are_hidden_as_these_are(
    database_uri: str, broker_url: str, sessions: SessionFactory
) -> None:
    request = json.dumps({"project_id": 1, "field_id": 3, "kiwi": 1})
    task_id = await add_task(sessions, request=request)
    await fail(sessions, task_id, "CRASHED", "gone")
    settings = ConsoleSettings(texts_from=Role.OPERATOR)
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    async with browser(app) as somebody:
        await log_in(somebody, sessions, Role.OPERATOR)
        data = {"task_ids": str(task_id)}
        answer = await somebody.post("/actions/tasks.retry", data=data, headers=OURS)
        assert f"{task_id} (invalid arguments: kiwi" in words(answer)
        assert "invalid arguments: kiwi" in words(await somebody.get("/activity"))
        await log_in(somebody, sessions, Role.VIEWER)
        activity = await somebody.get("/activity")
        assert f"1 cannot be submitted once more: {task_id}." in words(activity)
        assert "kiwi" not in activity.text


async def test_why_a_task_is_not_retried_is_for_those_who_may_see_its_request(
    database_uri: str, broker_url: str, sessions: SessionFactory
) -> None:
    request = json.dumps({"project_id": 1, "field_id": 3, "kiwi": 1})
    task_id = await add_task(sessions, request=request)
    await fail(sessions, task_id, "CRASHED", "gone")
    settings = ConsoleSettings(texts_from=Role.ADMIN)
    app = create_console(database_uri=database_uri, broker_url=broker_url, settings=settings)
    async with browser(app) as somebody:
        for role, is_told in ((Role.OPERATOR, False), (Role.ADMIN, True)):
            await log_in(somebody, sessions, role)
            answer = await somebody.post(
                "/actions/task.retry", data={"task_id": str(task_id)}, headers=OURS
            )
            assert answer.status_code == 409
            assert ("kiwi" in answer.text) is is_told
            assert "why not is for those who may see requests" in answer.text or is_told


async def test_a_page_is_kept_up_to_date_until_its_session_ends(
    console: Any, operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    task = await client.train(7, 3)
    seen: list[dict[str, str]] = []
    async with asyncio.timeout(60):
        async for name, data in events(console, f"/tasks/{task.id}", operator.cookies):
            if name == "end":
                break
            seen.append(data)
            if len(seen) == 1:
                await client.cancel(task.id)
            if data["id"] == "live_task" and "cancelled" in data["html"]:
                async with sessions.begin() as session:
                    await session.execute(text("DELETE FROM access_token"))
    assert {each["id"] for each in seen} == {"live_task", "live_facts", "live_result"}
    states = [each["html"] for each in seen if each["id"] == "live_task"]
    assert "pending" in states[0]
    assert "cancelled" in states[-1]


async def test_a_page_without_postgresql_says_so(
    servers: Any, broker_url: str, sessions: SessionFactory
) -> None:
    app = create_console(database_uri="postgresql://nobody@127.0.0.1:1/none", broker_url=broker_url)
    async with browser(app) as somebody:
        somebody.cookies.set("lexiclass_console", "x")
        answer = await somebody.get("/")
    assert answer.status_code == 503
    assert "nothing is lost" in words(answer)


@pytest.mark.parametrize("address", ["/", "/queues"])
async def test_a_page_without_redis_says_so(
    database_uri: str, sessions: SessionFactory, address: str
) -> None:
    app = create_console(database_uri=database_uri, broker_url="redis://127.0.0.1:1/0")
    async with browser(app) as somebody:
        await log_in(somebody, sessions, Role.VIEWER)
        answer = await somebody.get(address)
    assert answer.status_code == 200
    assert "Redis does not answer" in words(answer)
    assert "lexiclass-worker check" in words(answer)


def test_every_error_code_has_advice() -> None:
    assert set(ADVICE) == set(ErrorCode)
    assert TrainFieldModel.actor_name == "train_field_model"


async def test_a_page_that_is_gone_is_loaded_anew(
    console: Any, operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    async with sessions.begin() as session:
        await session.execute(text("INSERT INTO project (id, name) VALUES (7, 'news')"))
    names = []
    async with asyncio.timeout(60):
        async for name, _ in events(console, "/projects/7", operator.cookies):
            names.append(name)
            async with sessions.begin() as session:
                await session.execute(text("DELETE FROM project"))
    assert names == ["block", "end"]


@pytest.mark.slow
async def test_a_page_goes_on_when_postgresql_is_back(
    console: Any, operator: httpx.AsyncClient, database_uri: str, sessions: SessionFactory
) -> None:
    address = make_url(database_uri)
    name = address.database
    admin = create_async_engine(address.set(database="postgres"), isolation_level="AUTOCOMMIT")

    async def allow(allowed: bool) -> None:
        async with admin.connect() as connection:
            await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}'))
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": name},
            )

    seen = []
    back: asyncio.Task[None] | None = None
    async with asyncio.timeout(120):
        async for event, data in events(console, "/activity", operator.cookies):
            assert event == "block"
            seen.append(data["html"])
            if len(seen) == 2:
                break
            await allow(False)

            async def come_back() -> None:
                await asyncio.sleep(3)
                await allow(True)
                await operator.post("/actions/queue.pause", data={"queue": "bulk"}, headers=OURS)

            back = asyncio.create_task(come_back())
    assert back is not None
    await back
    await admin.dispose()
    assert "queue bulk" in seen[1]


async def test_nobody_takes_the_streams_of_others(
    console: Any, operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    kept = []
    for _ in range(10):
        stream = events(console, "/activity", operator.cookies)
        await anext(stream)
        kept.append(stream)
    live = {"Accept": "text/event-stream"}
    answer = await operator.get("/activity", headers=live)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]

    await log_in(operator, sessions, Role.VIEWER, "vera")
    theirs = events(console, "/activity", operator.cookies)
    await anext(theirs)
    for stream in (*kept, theirs):
        await stream.aclose()
    again = events(console, "/activity", operator.cookies)
    await anext(again)
    await again.aclose()
