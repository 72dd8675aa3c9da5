"""What the console says of workers: what they run and left, their settings, their plugins."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from tests.support.console import OURS, words

NASTY = "<script>alert(1)</script>\"'>"


async def execute(sessions: SessionFactory, statement: str, **values: Any) -> None:
    async with sessions.begin() as session:
        await session.execute(text(statement), values)


async def add_worker(
    sessions: SessionFactory, name: str, *, silent_s: int = 0, settings: object = None
) -> None:
    """Write a worker's row."""
    await execute(
        sessions,
        "INSERT INTO worker (name, host, pid, group_pid, queues, threads, version, seen_at, "
        "settings) VALUES (:name, :name, 1, 1, '{training,indexing}', 2, '0.1.0', "
        "clock_timestamp() - make_interval(secs => :silent), CAST(:settings AS jsonb))",
        name=name, silent=silent_s, settings=json.dumps(settings or {}),
    )  # fmt: skip


async def start(sessions: SessionFactory, task_id: int, worker: str, *, left_s: int) -> None:
    """Have a worker run a task, whose lease lapses in some seconds."""
    await execute(
        sessions,
        "UPDATE task SET status = 'started', attempts = 1, progress = 40, lease_owner = :worker, "
        "started_at = now(), lease_expires_at = clock_timestamp() + make_interval(secs => :left) "
        "WHERE id = :id",
        id=task_id, worker=worker, left=left_s,
    )  # fmt: skip


async def test_what_a_worker_runs_is_told(
    viewer: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    await add_worker(sessions, "anvil")
    task = await client.train(7, 3)
    await start(sessions, task.id, "anvil", left_s=30)
    first = words(await viewer.get("/"))
    assert "0 waiting 1 running" in first
    assert "1 worker PostgreSQL and Redis answer" in first.replace(" ok", "")
    page = words(await viewer.get(f"/tasks/{task.id}"))
    assert "on anvil" in page
    assert "lease" not in page


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(9, "Unless it is heard of again, its lease lapses in"), (-5, "lease of its worker lapsed")],
)
async def test_what_a_dead_worker_left_is_told_with_what_comes_next(
    viewer: httpx.AsyncClient,
    client: AsyncTaskClient,
    sessions: SessionFactory,
    left_s: int,
    said: str,
) -> None:
    await add_worker(sessions, "anvil", silent_s=30)
    task = await client.train(7, 3)
    await start(sessions, task.id, "anvil", left_s=left_s)
    for address in ("/", f"/tasks/{task.id}"):
        page = words(await viewer.get(address))
        assert said in page, address
        assert "once one is there: lexiclass-worker run" in page
    assert "and 1 silent" in words(await viewer.get("/"))
    await add_worker(sessions, "hammer")
    for address in ("/", f"/tasks/{task.id}"):
        page = words(await viewer.get(address))
        assert said in page
        assert "once one is there" not in page


async def test_draining_all_queues_tells_what_still_runs_until_nothing_does(
    operator: httpx.AsyncClient, client: AsyncTaskClient, sessions: SessionFactory
) -> None:
    await add_worker(sessions, "anvil")
    runs, waits = await client.train(7, 3), await client.train(7, 4)
    await start(sessions, runs.id, "anvil", left_s=30)
    data = {"reason": "a new disk", "next": "/queues"}
    page = await operator.post("/actions/queues.drain", data=data, headers=OURS)
    assert page.url.path == "/queues"
    assert "All queues are paused" in words(page)
    assert "draining: 1 still runs" in words(page)
    assert f'href="/tasks/{runs.id}"' in page.text
    assert f'href="/tasks/{waits.id}"' not in page.text

    await execute(sessions, "UPDATE task SET status = 'succeeded' WHERE id = :id", id=runs.id)
    assert "drained : nothing of it runs, 1 waits" in words(await operator.get("/queues"))

    page = await operator.post("/actions/queues.resume", data={"next": "/queues"}, headers=OURS)
    assert "The tasks of all queues start again." in words(page)
    assert "paused since" not in words(page)
    activity = words(await operator.get("/activity"))
    assert "queues.drain all queues" in activity
    assert "queues.resume all queues" in activity


async def test_viewers_drain_nothing(viewer: httpx.AsyncClient) -> None:
    assert "drain all" not in words(await viewer.get("/queues"))
    for action in ("queues.drain", "queues.resume"):
        answer = await viewer.post(f"/actions/{action}", data={"reason": ""}, headers=OURS)
        assert answer.status_code == 403


async def test_settings_that_differ_are_told_with_the_workers_that_have_them(
    viewer: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    assert "No worker is there to tell them" in words(await viewer.get("/settings"))
    usual = {"LOG_LEVEL": {"value": "INFO", "default": "INFO", "meaning": "Least `level`"}}
    odd = {"LOG_LEVEL": {"value": NASTY, "default": "INFO"}, "X": 1}
    await add_worker(sessions, "anvil", settings=usual)
    assert "LOG_LEVEL" not in words(await viewer.get("/settings?show=changed"))
    await add_worker(sessions, "hammer", settings=odd)
    page = await viewer.get("/settings?show=changed")
    assert "INFO on anvil" in words(page)
    assert "on hammer" in words(page)
    assert "<script>alert" not in page.text


SCHEMA = {
    "properties": {
        "C": {"type": "number", "default": 1.0, "description": "Weight of `errors`."},
        "loss": {"enum": ["hinge", "squared"], "default": "hinge"},
        "weights": {"anyOf": [{"const": "balanced"}, {"type": "null"}, 3]},
        "broken": 4,
        NASTY: {"description": NASTY},
    }
}


async def test_plugins_are_shown_with_their_parameters(
    viewer: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    assert "No worker has told its plugins yet" in words(await viewer.get("/plugins"))
    plugins = [
        {"name": "svm", "type": "classifier", "available": True, "parameters": SCHEMA},
        {"name": "net", "type": "classifier", "available": False, "install_command": "pip i net"},
        {"name": NASTY, "type": None, "available": False, "reason": NASTY},
        {"name": "odd", "type": "tokenizer", "available": True, "parameters": {"properties": 1}},
    ]
    await execute(
        sessions,
        "INSERT INTO plugin_catalog (digest, content) VALUES ('d', CAST(:content AS jsonb))",
        content=json.dumps({"plugins": plugins}),
    )
    page = await viewer.get("/plugins")
    said = words(page)
    assert "C Weight of errors . number; default 1.0" in said
    assert "&#34;hinge&#34;, &#34;squared&#34;" in page.text
    assert "&#34;balanced&#34; or null or any" in page.text
    assert "Install it on the workers: pip i net" in said
    assert "<script>alert" not in page.text
