"""``dead-letters`` and ``reconcile`` on a real Redis and a real PostgreSQL."""

import asyncio
import json
import time
from typing import Any

import pytest
from dramatiq.brokers.redis import RedisBroker

from lexiclass_worker.execution import reconciler
from tests.support.commands import Run
from tests.support.database import Database, stopped_halfway, until_closed
from tests.support.workers import RawSender


def bury(sender: RawSender, actor: str, message_id: str, **kwargs: Any) -> str:
    """Make a message a dead letter. Returns its key."""
    sender.send(actor, message_id=message_id, **kwargs)
    return give_up(sender, "training" if "model" in actor else "indexing")


def give_up(sender: RawSender, queue: str) -> str:
    broker = RedisBroker(client=sender.broker.client)
    broker.do_fetch(queue, 1)
    held: Any = sender.broker.client.smembers(f"dramatiq:__acks__.{broker.broker_id}.{queue}")
    (key,) = held
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
    assert "refused: it is not UTF-8" in cli("dead-letters", "show", buried["nonsense"]).out
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
    assert "not UTF-8" in done[buried["nonsense"]]["done"]
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

    assert f"is a chunk of task {parent}: submit that one once more" in row["done"]
    assert listed(cli) == {key}


def test_a_replay_keeps_the_priority(cli: Run, sender: RawSender, database: Database) -> None:
    add_row(database, "urgent", "index_documents", error="CRASHED")
    database.execute("UPDATE task SET priority = -7")
    bury(sender, "index_documents", "urgent", project_id=1)
    options = {"priority": 5_000, "correlation_id": "theirs"}
    sender.send("index_documents", message_id="rowless", options=options, project_id=2)
    give_up(sender, "indexing")

    assert len(cli("dead-letters", "replay", "--all", "--json").json) == 2

    new = database.rows("SELECT project_id, priority, correlation_id FROM task WHERE "
                        "status = 'pending' ORDER BY project_id")  # fmt: skip
    assert [tuple(row.values()) for row in new] == [(1, -7, "theirs"), (2, 1_000, "theirs")]


def test_one_that_cannot_be_submitted_does_not_end_the_replay(
    cli: Run, sender: RawSender, database: Database
) -> None:
    keys = [
        bury(sender, "index_documents", "before", project_id=1),
        bury(sender, "train_field_model", "wrong", project_id=1, field_id=1,
             classifier_params={"C": float("nan")}),
        bury(sender, "index_documents", "conflict", project_id=2),
        bury(sender, "index_documents", "after", project_id=3),
    ]  # fmt: skip
    database.execute(
        "INSERT INTO task (message_id, type, project_id, idempotency_key) "
        "VALUES ('another', 'index_documents', 2, :key)",
        key=f"replay of {keys[2]}",
    )

    replay = cli("dead-letters", "replay", "--all", "--json")

    done = {row["key"]: row["done"] for row in replay.json}
    assert "submitted as task" in done[keys[0]]
    assert "left alone: request.classifier_params.C holds" in done[keys[1]]
    assert "failed: the idempotency key" in done[keys[2]]
    assert "submitted as task" in done[keys[3]]
    assert replay.status == 1
    assert listed(cli) == {keys[1], keys[2]}


@pytest.mark.slow
def test_a_letter_that_is_odd_hides_no_other(cli: Run, sender: RawSender) -> None:
    keys = {
        bury(sender, "index_documents", message_id, project_id=1)
        for message_id in ("fine", "a\0b", "a\ud800b", "\x1b[31mred")
    }
    for number, actor in enumerate((["a", "list"], {"a": 1}, 7, None)):
        message = {"message_id": f"odd {number}", "actor_name": actor, "options": 3}
        sender.put("indexing", f"odd {number}", json.dumps(message).encode())
        keys.add(give_up(sender, "indexing"))
    client = sender.broker.client
    client.zadd("dramatiq:indexing.XQ", {b"\xff": 1})
    client.hset("dramatiq:indexing.XQ.msgs", b"\xff", b"{}")
    keys.add("\\xff")

    assert listed(cli) == keys
    table = cli("dead-letters", "list")
    assert (table.status, "\x1b" in table.out) == (0, False)
    assert len(listed(cli, "--type", "index_documents")) == 4
    for key in keys:
        assert cli("dead-letters", "show", key).status == 0
        assert cli("dead-letters", "show", key, "--json").json["key"] == key
    done = cli("dead-letters", "replay", "--all", "--json").json
    assert len([row for row in done if "new_task_id" in row]) == 4
    assert len(listed(cli)) == 5
    assert len(cli("dead-letters", "purge", "--all", "--json").json) == 5
    assert listed(cli) == set()


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


def test_a_purge_that_redis_refuses_says_what_is_still_there(
    cli: Run, buried: dict[str, str], sender: RawSender
) -> None:
    sender.broker.client.config_set("min-replicas-to-write", 1)
    try:
        refused = cli("dead-letters", "purge", "--all", "--json")
    finally:
        sender.broker.client.config_set("min-replicas-to-write", 0)
    assert refused.status == 1
    assert len(refused.json) == len(buried)
    assert all(row["failed"] and "not removed: Redis" in row["done"] for row in refused.json)
    assert listed(cli) == set(buried.values())


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


@pytest.mark.slow
def test_a_session_that_a_stopped_worker_left_is_ended_by_hand(
    cli: Run, database: Database, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "_SHORTEST_SILENCE_S", 1.0)
    add_row(database, "m", "index_documents", status="succeeded")
    with asyncio.Runner() as runner:
        stopped = stopped_halfway(database_uri, "UPDATE task SET progress = 1")
        connection = runner.run(stopped)
        time.sleep(1.2)

        done = cli("reconcile", "--quiet-s", "0")

        assert "session of the database ended" in done.out
        assert "nothing is amiss" in cli("reconcile", "--quiet-s", "0").out
        database.execute("UPDATE task SET progress = 2")
        runner.run(until_closed(connection))


def test_a_list_reads_no_more_letters_than_it_shows_and_a_piece(
    cli: Run, sender: RawSender
) -> None:
    client = sender.broker.client
    for queue in ("training", "indexing"):
        keys = {f"{queue}-{number}": number for number in range(500)}
        client.zadd(f"dramatiq:{queue}.XQ", {key: 1_000.0 * age for key, age in keys.items()})
        client.hset(f"dramatiq:{queue}.XQ.msgs", mapping=dict.fromkeys(keys, "no message"))

    def read() -> int:
        return int(client.info("commandstats").get("cmdstat_hget", {"calls": 0})["calls"])

    before = read()
    shown = json.loads(cli("dead-letters", "list", "--limit", 3, "--json").out)

    assert sorted(row["key"] for row in shown[:2]) == ["indexing-499", "training-499"]
    assert len(shown) == 3
    assert read() - before < 100
    assert len(json.loads(cli("dead-letters", "list", "--limit", 2000, "--json").out)) == 1000
