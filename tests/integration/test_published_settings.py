"""Workers tell their settings, without secrets, and others read them."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.worker_settings import list_settings
from lexiclass_worker.config import list_variables, make_settings
from lexiclass_worker.execution.worker_row import WorkerRow
from lexiclass_worker.repositories.workers import Identity
from lexiclass_worker.shown_settings import published_settings
from tests.support.services import Workshop

SECRETS = {
    "DATABASE_URI": "postgresql://lexi:kiwi-one@db.example:5432/lexiclass",
    "DRAMATIQ__BROKER_URL": "redis://:kiwi-two@redis.example:6379/0",
    "DRAMATIQ__SIGNING_KEYS": "kiwi-three-kiwi-three-kiwi-three-kiwi",
}


async def register(workshop: Workshop, name: str, **variables: str) -> None:
    identity = Identity(
        name=name, host="host", pid=2, group_pid=1, queues=["training"], threads=2,
        version="0.1.0", settings=published_settings(make_settings({**SECRETS, **variables})),
    )  # fmt: skip
    await WorkerRow(workshop.sessions, identity).beat()


async def test_every_setting_is_told_and_no_secret(workshop: Workshop) -> None:
    await register(workshop, "a")
    async with workshop.sessions() as session:
        found = {each.variable: each for each in await list_settings(session)}
    assert set(found) == {variable.name for variable in list_variables()}
    (uri,) = found["DATABASE_URI"].values
    assert "db.example" in uri
    assert found["LOG_LEVEL"].values == {"INFO": ["a"]}
    assert not found["LOG_LEVEL"].is_changed
    assert found["DATABASE_URI"].is_changed
    (row,) = await workshop.rows("SELECT settings::text AS settings FROM worker")
    assert "kiwi" not in row["settings"]


async def test_workers_that_differ_are_told_apart(workshop: Workshop) -> None:
    for name, level in (("a", "DEBUG"), ("b", "INFO"), ("c", "INFO"), ("gone", "ERROR")):
        await register(workshop, name, LOG_LEVEL=level)
    await workshop.execute(
        "UPDATE worker SET seen_at = seen_at - interval '21 s' WHERE name = 'gone'"
    )
    async with workshop.sessions() as session:
        found = {each.variable: each for each in await list_settings(session)}
    assert list(found["LOG_LEVEL"].values.items()) == [("INFO", ["b", "c"]), ("DEBUG", ["a"])]


@pytest.mark.parametrize("content", [1, [], {"X": 1}, {"X": {"value": 2}}, {"X": {}}])
async def test_what_others_have_written_is_left_out(workshop: Workshop, content: Any) -> None:
    await register(workshop, "a")
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("UPDATE worker SET settings = CAST(:given AS jsonb)"),
            {"given": json.dumps(content)},
        )
        assert await list_settings(session) == []
