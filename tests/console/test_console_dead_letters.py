"""Dead letters in the console."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import redis

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role
from tests.support.console import OURS, log_in, words

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
