"""Entries in Redis that somebody put there by hand, or by mistake."""

import json
import uuid
from typing import Any

import pytest

from tests.faults.conftest import Shared

# Workers of their own; what no worker can read is tried in parts by quicker tests.
pytestmark = pytest.mark.slow


def entry(**fields: Any) -> bytes:
    """An entry that would be a message, but for some fields."""
    message = {
        "queue_name": "indexing",
        "actor_name": "index_documents",
        "args": [],
        "kwargs": {"project_id": 999_999},
        "options": {"redis_message_id": "bad"},
        "message_id": "bad",
        "message_timestamp": 1_700_000_000_000,
        **fields,
    }
    return json.dumps(message).encode()


NO_MESSAGES = {
    "bytes": b"\xff\xfe\x00 no text at all",
    "nothing": b"",
    "half a message": entry()[:60],
    "a list": b"[]",
    "a text": b'"message"',
    "no fields": b"{}",
    "a field too many": entry(surprise=1),
    "deeply nested": b"[" * 100_000,
    "no redis_message_id": entry(options={}),
    "options null": entry(options=None),
    "kwargs null": entry(kwargs=None),
    "kwargs list": entry(kwargs=[1]),
    "args null": entry(args=None),
    "id null": entry(message_id=None),
    "id number": entry(message_id=7),
    "id list": entry(message_id=["a"]),
    "time as text": entry(message_timestamp="now"),
    "another queue": entry(queue_name="training"),
    "unknown queue": entry(queue_name="nowhere"),
    "unknown actor": entry(actor_name="no_such_actor"),
    "actor null": entry(actor_name=None),
}


@pytest.mark.parametrize("bad", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
def test_an_entry_that_is_no_message_harms_no_other_and_becomes_a_dead_letter(
    shared: Shared, bad: bytes
) -> None:
    sender, database = shared.house.sender, shared.house.database
    good = [sender.send("index_documents", project_id=999_999)]
    key = f"bad-{uuid.uuid4()}"
    bad = bad.replace(b'"redis_message_id": "bad"', f'"redis_message_id": "{key}"'.encode())
    sender.put("indexing", key, bad)
    good += [sender.send("index_documents", project_id=999_999) for _ in range(4)]
    for message_id in good:
        database.failed(message_id)
    shared.house.wait_settled()
    assert sender.dead_letters("indexing")[key] == bad


ODD_OPTIONS: dict[str, dict[str, Any]] = {
    "classes that throw": {"throws": "ValueError"},
    "retries as text": {"retries": "many"},
    "retries negative": {"retries": -5},
    "eta as text": {"eta": "tomorrow"},
    "time limit as text": {"time_limit": "long"},
    "age as text": {"max_age": "old"},
    "pipe to nowhere": {"pipe_target": {"actor_name": "nowhere"}},
    "callback nowhere": {"on_failure": "nowhere", "on_success": 5},
    "correlation as object": {"correlation_id": {"a": "b\0"}},
    "unknown option": {"colour": "blue"},
}


@pytest.mark.parametrize("options", ODD_OPTIONS.values(), ids=ODD_OPTIONS.keys())
def test_odd_options_of_a_message_change_nothing(shared: Shared, options: dict[str, Any]) -> None:
    house = shared.house
    message_id = house.send("index_documents", project_id=999_999, options=options)
    task = house.database.failed(message_id)
    assert (task["error"]["code"], task["attempts"]) == ("NOT_FOUND", 1)
    house.wait_settled()
    assert house.sender.is_dead_letter("indexing", message_id)


@pytest.mark.parametrize("name", ["self", "args", "kwargs", "cls", "", "a b"])
def test_an_argument_of_whatever_name_is_an_error_that_the_row_tells(
    shared: Shared, name: str
) -> None:
    key = str(uuid.uuid4())
    options = {"redis_message_id": key}
    bad = entry(kwargs={"project_id": 999_999, name: 1}, message_id=key, options=options)
    shared.house.sender.put("indexing", key, bad)
    error = shared.house.database.failed(key)["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert [problem["argument"] for problem in error["details"]["problems"]] == [name]


@pytest.mark.parametrize("timestamp", [-1, 0, 10**18, 1e300])
def test_a_message_from_an_impossible_time_is_processed(shared: Shared, timestamp: float) -> None:
    key = str(uuid.uuid4())
    bad = entry(message_timestamp=timestamp, message_id=key, options={"redis_message_id": key})
    shared.house.sender.put("indexing", key, bad)
    assert shared.house.database.failed(key)["error"]["code"] == "NOT_FOUND"


def test_every_thread_of_the_worker_still_lives(shared: Shared) -> None:
    """Runs last in this module: a thread that ended would show as work that is not shared."""
    house = shared.house
    projects = [house.slow_project() for _ in range(2)]
    tasks = [
        house.database.succeeded(message_id)
        for message_id in [house.send_training(project) for project in projects]
    ]
    assert max(task["started_at"] for task in tasks) < min(task["finished_at"] for task in tasks)
