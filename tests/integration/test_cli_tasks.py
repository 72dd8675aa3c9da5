"""``tasks show|watch|cancel|retry``: how tasks are named, and what is told of them."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.database import Database

Add = Callable[..., int]


@pytest.fixture
def add(database: Database) -> Add:
    """Inserts a task with some columns. Returns its number."""

    def insert(**columns: Any) -> int:
        values = {"message_id": str(uuid.uuid4()), "type": "train_field_model", **columns}
        names = ", ".join(values)
        row = json.dumps(values)
        return int(
            database.value(
                f"INSERT INTO task ({names}) SELECT {names} "
                "FROM jsonb_populate_record(NULL::task, CAST(:row AS jsonb)) RETURNING id",
                row=row,
            )
        )

    return insert


def test_a_task_is_named_by_its_number_or_by_its_message(cli: Run, add: Add) -> None:
    message = str(uuid.uuid4())
    number = add(message_id=message, status="failed", request={"project_id": 1, "field_id": 2})
    add(message_id=str(number + 100))

    shown = cli("tasks", "show", message, "--json").json
    assert shown == cli("tasks", "show", number, "--json").json
    assert shown["id"] == number
    assert "train_field_model" in cli("tasks", "show", number).out
    # A number that is no task's may be a message's.
    assert cli("tasks", "show", number + 100, "--json").json["id"] == number + 1
    cancelled = cli("tasks", "cancel", str(number + 100))
    assert f"task {number + 1} is cancelled" in cancelled.out
    retried = cli("tasks", "retry", message)
    assert f"task {number} is submitted again" in retried.out
    watched = cli("tasks", "watch", message)
    assert watched.status == 1
    assert f"task {number} train_field_model" in watched.out


def test_a_task_that_is_not_there_is_said_so(cli: Run) -> None:
    for command, name, status, says in (
        ("show", "4711", 1, "no task 4711"),
        ("cancel", str(uuid.UUID(int=7)), 1, "no task '00000000-0000-0000-0000-000000000007'"),
        ("watch", "seven", 2, "neither the number of a task nor the id of its"),
        ("retry", str(2**70), 2, "neither"),
        ("show", "a\udcff", 2, "neither"),
    ):
        outcome = cli("tasks", command, name)
        assert (outcome.status, outcome.out) == (status, "")
        assert says in " ".join(outcome.err.replace("│", " ").split())


def test_a_running_task_tells_who_runs_it_and_since_when(
    cli: Run, add: Add, database: Database
) -> None:
    number = add(
        status="started",
        queue="training",
        stage="classifier",
        progress=40,
        attempts=2,
        max_attempts=3,
        lease_owner="box-7:4242:abcdef123456",
    )
    database.execute(
        "UPDATE task SET started_at = now() - interval '65 minutes', "
        "lease_expires_at = now() + interval '15 s' WHERE id = :id",
        id=number,
    )

    shown = cli("tasks", "show", number, "--json").json

    assert shown["worker"] == {"host": "box-7", "pid": 4242}
    assert shown["lease_owner"] == "box-7:4242:abcdef123456"
    assert shown["duration_s"] >= 65 * 60
    printed = cli("tasks", "show", number).out
    for part in (
        "process 4242 on box-7", "2 of 3", "training", "classifier", "40 %", "1 h 5 min",
    ):  # fmt: skip
        assert part in printed
    assert "abcdef123456" not in printed


def test_a_task_that_waits_or_has_ended_is_nobodys(cli: Run, add: Add, database: Database) -> None:
    waits = add(status="retrying", attempts=1)
    database.execute(
        "UPDATE task SET next_attempt_at = now() + interval '1 hour', "
        "started_at = now() - interval '90 s' WHERE id = :id",
        id=waits,
    )
    ended = add(status="pending")
    database.execute(
        "UPDATE task SET status = 'succeeded', started_at = now() - interval '90 s', "
        "finished_at = now() WHERE id = :id",
        id=ended,
    )
    new = add(status="pending")

    assert "next_attempt_at" in cli("tasks", "show", waits).out
    shown = cli("tasks", "show", ended, "--json").json
    assert (shown["worker"], shown["duration_s"]) == (None, 90.0)
    assert "1 min 30 s" in cli("tasks", "show", ended).out
    assert cli("tasks", "show", new, "--json").json["duration_s"] is None


def test_a_divided_task_tells_how_far_its_chunks_are(cli: Run, add: Add) -> None:
    parent = add(status="started", num_chunks=3)
    for status in ("succeeded", "succeeded", "started"):
        add(parent_id=parent, status=status, type="predict_document_chunk")

    shown = cli("tasks", "show", parent, "--json").json

    assert shown["chunks"] == {"succeeded": 2, "started": 1}
    assert "chunks" in cli("tasks", "show", parent).out
