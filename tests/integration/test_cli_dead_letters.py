"""``dead-letters`` and ``reconcile`` on a real Redis and a real PostgreSQL."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq.brokers.redis import RedisBroker

from tests.integration.test_cli import Run, bare_cli, cli, database
from tests.support.database import Database
from tests.support.workers import RawSender

__all__ = ["bare_cli", "cli", "database"]


@pytest.fixture
def sender(broker_url: str) -> Iterator[RawSender]:
    sender = RawSender(broker_url)
    yield sender
    sender.close()


def bury(sender: RawSender, actor: str, message_id: str, **kwargs: Any) -> str:
    """Make a message a dead letter. Returns its key."""
    sender.send(actor, message_id=message_id, **kwargs)
    return give_up(sender, "training" if "model" in actor else "indexing")


def give_up(sender: RawSender, queue: str) -> str:
    broker = RedisBroker(client=sender.broker.client)
    broker.do_fetch(queue, 1)
    (key,) = sender.broker.client.smembers(f"dramatiq:__acks__.{broker.broker_id}.{queue}")
    broker.do_nack(queue, key)
    return str(key.decode())


def add_row(database: Database, message_id: str, kind: str, **values: Any) -> int:
    request, error = values.pop("request", {"project_id": 1}), values.pop("error", None)
    return int(
        database.value(
            "INSERT INTO task (message_id, type, status, request, error, correlation_id) VALUES "
            "(:m, :kind, :status, CAST(:request AS jsonb), CAST(:error AS jsonb), 'theirs') "
            "RETURNING id",
            m=message_id,
            kind=kind,
            status=values.pop("status", "failed"),
            request=json.dumps(request),
            error=None if error is None else json.dumps({"code": error, "message": f"so {error}"}),
        )
    )


@pytest.fixture
def buried(sender: RawSender, database: Database) -> dict[str, str]:
    """Keys of some dead letters, by the message id of each."""
    add_row(database, "corrupt", "evaluate_field_model", error="MODEL_CORRUPT",
            request={"project_id": 1, "field_id": 2})  # fmt: skip
    add_row(database, "crashed", "index_documents", error="CRASHED")
    add_row(database, "unwanted", "index_documents", error="CANCELLED", status="cancelled")
    add_row(database, "done", "index_documents", status="succeeded")
    keys = {
        "corrupt": bury(sender, "evaluate_field_model", "corrupt", project_id=1, field_id=2),
        "crashed": bury(sender, "index_documents", "crashed", project_id=1),
        "unwanted": bury(sender, "index_documents", "unwanted", project_id=1),
        "done": bury(sender, "index_documents", "done", project_id=1),
        "rowless": bury(sender, "index_documents", "rowless", project_id=5),
        "wrong": bury(sender, "index_documents", "wrong", project_id="seven"),
    }
    sender.put("indexing", "nonsense", b"\xff no message")
    keys["nonsense"] = give_up(sender, "indexing")
    return keys


def listed(cli: Run, *options: str) -> set[str]:
    rows = cli("dead-letters", "list", "--json", *options).json
    return {row["key"] for row in rows}


def test_dead_letters_are_listed_by_what_they_are(cli: Run, buried: dict[str, str]) -> None:
    assert listed(cli) == set(buried.values())
    assert listed(cli, "--queue", "training") == {buried["corrupt"]}
    assert listed(cli, "--type", "evaluate_field_model") == {buried["corrupt"]}
    assert listed(cli, "--code", "CRASHED") == {buried["crashed"]}
    assert listed(cli, "--older-than-h", "1") == set()
    assert len(listed(cli, "--limit", "2")) == 2
    table = cli("dead-letters", "list")
    assert table.status == 0
    assert "MODEL_CORRUPT" in table.out


def test_a_dead_letter_is_shown_with_its_cause(cli: Run, buried: dict[str, str]) -> None:
    shown = cli("dead-letters", "show", buried["corrupt"], "--json").json
    assert shown["error"] == {"code": "MODEL_CORRUPT", "message": "so MODEL_CORRUPT"}
    assert shown["entry"]["kwargs"] == {"project_id": 1, "field_id": 2}
    assert "no message" in cli("dead-letters", "show", buried["nonsense"]).out
    missing = cli("dead-letters", "show", "nowhere")
    assert (missing.status, "no dead letter 'nowhere'" in missing.err) == (1, True)


def test_dead_letters_are_replayed_once_as_new_tasks(
    cli: Run, buried: dict[str, str], sender: RawSender, database: Database
) -> None:
    dry = cli("dead-letters", "replay", "--all", "--dry-run", "--json").json
    assert listed(cli) == set(buried.values())
    done = {row["key"]: row for row in cli("dead-letters", "replay", "--all", "--json").json}

    assert {row["key"] for row in dry} == set(done)
    replayed = {name for name, key in buried.items() if done.get(key, {}).get("new_task_id")}
    assert replayed == {"corrupt", "crashed", "rowless"}
    assert "has succeeded" in done[buried["done"]]["done"]
    assert "project_id" in done[buried["wrong"]]["done"]
    assert "no actor" in done[buried["nonsense"]]["done"]
    assert buried["unwanted"] not in done
    assert listed(cli) == {buried[name] for name in ("unwanted", "done", "wrong", "nonsense")}
    new = database.row(
        "SELECT * FROM task WHERE id = :id", id=done[buried["corrupt"]]["new_task_id"]
    )
    assert new is not None
    assert (new["status"], new["request"]) == ("pending", {"project_id": 1, "field_id": 2})
    assert new["correlation_id"] == "theirs"
    assert (sender.size("training"), sender.size("indexing")) == (1, 2)

    cancelled = cli("dead-letters", "replay", "--code", "CANCELLED", "--json").json
    assert [row["key"] for row in cancelled] == [buried["unwanted"]]


def test_a_dead_chunk_is_not_replayed_on_its_own(
    cli: Run, sender: RawSender, database: Database
) -> None:
    parent = add_row(database, "parent", "predict_field_documents", error="CRASHED")
    chunk = add_row(database, "chunk", "predict_document_chunk", error="CRASHED")
    database.execute("UPDATE task SET parent_id = :p WHERE id = :c", p=parent, c=chunk)
    sender.send("predict_document_chunk", message_id="chunk", project_id=1)
    key = give_up(sender, "bulk")

    (row,) = cli("dead-letters", "replay", key, "--json").json

    assert f"is a chunk of task {parent}: replay that one" in row["done"]
    assert listed(cli) == {key}


def test_dead_letters_are_purged_and_their_rows_stay(
    cli: Run, buried: dict[str, str], database: Database
) -> None:
    dry = cli("dead-letters", "purge", "--queue", "indexing", "--dry-run", "--json").json
    assert len(dry) == 6
    assert listed(cli) == set(buried.values())

    assert len(cli("dead-letters", "purge", buried["crashed"], "--json").json) == 1
    assert len(cli("dead-letters", "purge", "--queue", "indexing", "--json").json) == 5
    assert listed(cli) == {buried["corrupt"]}
    assert database.value("SELECT count(*) FROM task") == 4
    assert "no dead letter is meant" in cli("dead-letters", "purge", "nowhere").out


@pytest.mark.parametrize("command", ["replay", "purge"])
def test_what_is_not_said_is_not_meant(cli: Run, buried: dict[str, str], command: str) -> None:
    refused = cli("dead-letters", command)
    assert (refused.status, "--all" in refused.err) == (2, True)
    assert listed(cli) == set(buried.values())


def test_a_task_without_a_message_is_sent_by_hand(
    cli: Run, sender: RawSender, database: Database
) -> None:
    task_id = add_row(database, "m", "index_documents", status="pending")

    assert cli("reconcile", "--json").json["sent"] == []  # too new
    dry = cli("reconcile", "--quiet-s", "0", "--dry-run")
    assert f"{task_id}" in dry.out
    assert sender.size("indexing") == 0
    assert cli("reconcile", "--quiet-s", "0", "--json").json["sent"] == [task_id]
    assert sender.size("indexing") == 1
    assert "nothing is amiss" in cli("reconcile").out
