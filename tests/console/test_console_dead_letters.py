"""Dead letters in the console."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import text

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role
from tests.support.console import OURS, browser, log_in, words

KEYS = 'name="keys" value="'


def bury(broker_url: str, message: dict[str, Any]) -> None:
    """Write a dead letter as Dramatiq does."""
    with redis.Redis.from_url(broker_url) as client:
        name = "dramatiq:training.XQ"
        client.hset(f"{name}.msgs", message["message_id"], json.dumps(message))
        client.zadd(name, {message["message_id"]: 1_700_000_000_000})


def message(message_id: str, **kwargs: Any) -> dict[str, Any]:
    """A message of a training."""
    return {
        "queue_name": "training", "actor_name": "train_field_model", "args": [],
        "kwargs": {"project_id": 1, "field_id": 2} | kwargs,
        "options": {"redis_message_id": message_id},
        "message_id": message_id, "message_timestamp": 1_700_000_000_000,
    }  # fmt: skip


def shown(page: httpx.Response) -> list[str]:
    """The keys in the first form of the page."""
    form = page.text.partition('<form method="post" action="/actions/dead')[2]
    return [part.split('"')[0] for part in form.partition("</form>")[0].split(KEYS)[1:]]


async def audited(sessions: SessionFactory) -> list[tuple[str, str]]:
    """What was done, on what and how it ended, in order."""
    async with sessions() as session:
        rows = await session.execute(text("SELECT subject, outcome FROM audit_event ORDER BY id"))
        return [(subject, outcome) for subject, outcome in rows]


@contextmanager
def refusing_writes(broker_url: str) -> Iterator[None]:
    """A Redis that can be read, and takes no write."""
    with redis.Redis.from_url(broker_url) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            yield
        finally:
            client.config_set("min-replicas-to-write", 0)


async def test_they_are_run_once_more_or_left_alone_with_the_reason(
    operator: httpx.AsyncClient, client: AsyncTaskClient, broker_url: str
) -> None:
    bury(broker_url, message("first"))
    bury(broker_url, message("second", nonsense=True))
    page = await operator.get("/dead-letters")
    keys = shown(page)
    assert len(keys) == 2
    assert "Remove all" not in words(page)

    answer = await operator.post(
        "/actions/dead_letters.replay", data={"keys": keys, "next": "/dead-letters"}, headers=OURS
    )

    assert "1 dead letters were submitted as new tasks. 1 were left alone: second" in words(answer)
    (task,) = (await client.list()).tasks
    assert task.type == "train_field_model"
    assert shown(answer) == [key for key in keys if key in shown(answer)]
    assert len(shown(answer)) == 1


async def test_only_an_admin_removes_them(
    operator: httpx.AsyncClient, sessions: SessionFactory, broker_url: str
) -> None:
    bury(broker_url, message("first"))
    keys = shown(await operator.get("/dead-letters"))
    data = {"keys": keys, "next": "/dead-letters"}
    answer = await operator.post("/actions/dead_letters.purge", data=data, headers=OURS)
    assert answer.status_code == 403
    await log_in(operator, sessions, Role.ADMIN)
    answer = await operator.post("/actions/dead_letters.purge", data=data, headers=OURS)
    assert "There are none" in words(answer)


async def test_the_audit_says_that_a_removal_is_begun_and_then_what_came_of_it(
    operator: httpx.AsyncClient, sessions: SessionFactory, broker_url: str
) -> None:
    await log_in(operator, sessions, Role.ADMIN)
    bury(broker_url, message("first"))
    keys = [*shown(await operator.get("/dead-letters")), "gone"]
    data = {"keys": keys, "next": "/dead-letters"}
    answer = await operator.post("/actions/dead_letters.purge", data=data, headers=OURS)

    said = "1 of 2 dead letters are removed, the others were gone already; the rows of their tasks"
    assert said in words(answer)
    begun, done = await audited(sessions)
    assert begun == ("2 dead letters", "The removal of 2 dead letters is begun.")
    assert done[1].startswith(said)


async def test_a_removal_that_redis_refuses_is_not_audited_as_one_that_was_made(
    operator: httpx.AsyncClient, sessions: SessionFactory, broker_url: str
) -> None:
    await log_in(operator, sessions, Role.ADMIN)
    bury(broker_url, message("first"))
    bury(broker_url, message("second"))
    data = {"keys": shown(await operator.get("/dead-letters")), "next": "/dead-letters"}
    with refusing_writes(broker_url):
        answer = await operator.post("/actions/dead_letters.purge", data=data, headers=OURS)

    assert "0 of 2 dead letters are removed; 2 are still there, not removed: Redis did" in words(
        answer
    )
    assert len(shown(answer)) == 2
    begun, done = await audited(sessions)
    assert "begun" in begun[1]
    assert done[1].startswith("0 of 2 dead letters are removed; 2 are still there")


async def test_a_console_that_dies_before_a_removal_leaves_no_word_of_one(
    sessions: SessionFactory, database_uri: str
) -> None:
    """One that does not reach Redis comes as far as one that is killed in between."""
    console = create_console(
        database_uri=database_uri,
        broker_url="redis://127.0.0.1:1/0",
        settings=ConsoleSettings(),
    )
    async with browser(console) as admin:
        await log_in(admin, sessions, Role.ADMIN)
        data = {"keys": ["first"], "next": "/dead-letters"}
        answer = await admin.post("/actions/dead_letters.purge", data=data, headers=OURS)
    assert answer.status_code == 503
    assert await audited(sessions) == [
        ("1 dead letters", "The removal of 1 dead letters is begun.")
    ]


async def test_what_is_run_once_more_and_stays_is_told(
    operator: httpx.AsyncClient, sessions: SessionFactory, broker_url: str
) -> None:
    bury(broker_url, message("first"))
    data = {"keys": shown(await operator.get("/dead-letters")), "next": "/dead-letters"}
    with refusing_writes(broker_url):
        answer = await operator.post("/actions/dead_letters.replay", data=data, headers=OURS)

    assert (
        "1 dead letters were submitted as new tasks. 1 are still there, not removed: Redis"
        in words(answer)
    )
    assert len(shown(answer)) == 1
    submitted, _ = await audited(sessions)
    assert submitted[1] == "1 dead letters were submitted as new tasks."


async def test_many_at_once_do_not_wait_for_each_others_connections(
    operator: httpx.AsyncClient, client: AsyncTaskClient, broker_url: str
) -> None:
    bury(broker_url, message("first"))
    task = await client.train(7, 3)
    await client.cancel(task.id)
    data = {"task_id": str(task.id), "next": "/dead-letters"}

    # More than there are connections: each that needs a second one would wait for all others.
    async with asyncio.timeout(25):
        answers = await asyncio.gather(
            *(operator.get("/dead-letters") for _ in range(12)),
            *(operator.post("/actions/task.retry", data=data, headers=OURS) for _ in range(12)),
        )

    assert {answer.status_code for answer in answers} == {200}
    assert len((await client.list()).tasks) == 13


@pytest.mark.parametrize("query", [{"queue": "nonsense"}, {"code": "\u202e<x>"}])
async def test_odd_filters_find_none(
    viewer: httpx.AsyncClient, broker_url: str, query: dict[str, str]
) -> None:
    bury(broker_url, message("first"))
    page = await viewer.get("/dead-letters", params=query)
    assert page.status_code == 200
    assert "There are none like that" in words(page)
