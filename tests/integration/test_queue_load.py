"""What an autoscaler reads: the view ``queue_load``."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks import admission
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.overrides import project_limits
from tests.support.database import Database

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "DEPLOYMENT.md"
ANYTHING = "md5(random()::text), 'train_field_model'"


def add(database: Database, columns: str, values: str, count: int = 1) -> None:
    """Tasks as workers and clients leave them."""
    database.execute(
        f"INSERT INTO task (message_id, type, {columns}) "
        f"SELECT {ANYTHING}, {values} FROM generate_series(1, {count})"
    )


def load(database: Database) -> dict[str, tuple[int, int, int]]:
    rows = database.rows("SELECT queue, due, running, load FROM queue_load")
    return {row["queue"]: (row["due"], row["running"], row["load"]) for row in rows}


def test_every_queue_has_a_row_also_where_nothing_waits(database: Database) -> None:
    assert load(database) == dict.fromkeys(QueueName, (0, 0, 0))


def test_what_could_run_now_and_what_runs_is_counted(database: Database) -> None:
    add(database, "queue, status", "'training', 'pending'", 3)
    add(
        database,
        "queue, status, next_attempt_at",
        "'training', 'retrying', now() + interval '1 hour'",
        5,
    )
    add(database, "queue, status, not_before", "'training', 'pending', now() + interval '1 day'", 7)
    running = "'training', 'started', 'w', now() + interval '10 s'"
    add(database, "queue, status, lease_owner, lease_expires_at", running, 2)
    add(database, "queue, status", "'training', 'succeeded'", 9)
    add(database, "queue, status", "'bulk', 'pending'")

    assert load(database) == {
        "indexing": (0, 0, 0), "training": (3, 2, 5), "prediction": (0, 0, 0), "bulk": (1, 0, 1),
    }  # fmt: skip


def test_what_a_dead_worker_left_is_due(database: Database) -> None:
    lapsed = "'prediction', 'started', 'w', now() - interval '1 s'"
    add(database, "queue, status, lease_owner, lease_expires_at", lapsed)

    assert load(database)["prediction"] == (1, 0, 1)


def test_a_task_is_due_again_when_all_its_chunks_have_ended(database: Database) -> None:
    parent = database.value(
        "INSERT INTO task (message_id, type, queue, status, num_chunks) "
        "VALUES ('parent', 'predict_field_documents', 'prediction', 'started', 2) RETURNING id"
    )
    for status in ("pending", "succeeded"):
        add(database, "queue, status, parent_id", f"'bulk', '{status}', {parent}")
    assert load(database)["prediction"] == (0, 0, 0)

    database.execute("UPDATE task SET status = 'failed' WHERE status = 'pending'")
    assert load(database)["prediction"] == (1, 0, 1)


def test_what_is_scheduled_is_not_due_however_long_ago_it_was_put_off(database: Database) -> None:
    moments = "now() + interval '1 day', now() - interval '1 s'"
    add(database, "queue, status, not_before, next_attempt_at", f"'bulk', 'retrying', {moments}")
    later = "now() - interval '1 s', now() + interval '1 day'"
    add(database, "queue, status, not_before, next_attempt_at", f"'bulk', 'retrying', {later}")

    assert load(database)["bulk"] == (0, 0, 0)


def test_of_a_project_no_more_is_due_than_may_run_at_a_time(database: Database) -> None:
    publish(database, {"train_field_model": 2})
    for name in "ab":
        database.execute(f"INSERT INTO project (name) VALUES ('{name}')")
    a, b = (row["id"] for row in database.rows("SELECT id FROM project ORDER BY name"))
    add(database, "queue, status, project_id", f"'training', 'pending', {a}", 50)
    add(database, "queue, status, project_id", f"'training', 'pending', {b}", 1)
    assert load(database)["training"] == (3, 0, 3)

    running = f"'training', 'started', {a}, 'w', now() + interval '10 s'"
    add(database, "queue, status, project_id, lease_owner, lease_expires_at", running)
    lapsed = f"'training', 'started', {b}, 'w', now() - interval '1 s'"
    add(database, "queue, status, project_id, lease_owner, lease_expires_at", lapsed)
    assert load(database)["training"] == (3, 1, 4)

    database.execute("UPDATE task_limit SET per_project = 30 WHERE type = 'train_field_model'")
    assert load(database)["training"] == (31, 1, 32)
    database.execute("DELETE FROM task_limit")
    assert load(database)["training"] == (52, 1, 53)


def test_work_of_others_is_due_behind_all_that_a_project_may_not_run(database: Database) -> None:
    publish(database, {"train_field_model": 1})
    for name in "ab":
        database.execute(f"INSERT INTO project (name) VALUES ('{name}')")
    a, b = (row["id"] for row in database.rows("SELECT id FROM project ORDER BY name"))
    running = f"'training', 'started', {a}, 'w', now() + interval '10 s'"
    add(database, "queue, status, project_id, lease_owner, lease_expires_at", running)
    waiting = f"'training', 'pending', {a}"
    add(database, "queue, status, project_id", waiting, 9_998)
    add(database, "queue, status, project_id", f"'training', 'pending', {b}")
    assert load(database)["training"] == (1, 1, 2)

    # Not all that wait are looked at any more: rather too many workers than none.
    add(database, "queue, status, project_id", waiting)
    assert load(database)["training"] == (1000, 1, 1001)


def test_limits_are_those_of_the_worker_that_said_them_last(database: Database) -> None:
    def told(limits: dict[str, int]) -> dict[str, int]:
        publish(database, limits)
        rows = database.rows("SELECT type, per_project FROM task_limit")
        return {row["type"]: row["per_project"] for row in rows}

    known = project_limits(Settings())
    assert told(known) == known
    assert told(known | {"train_field_model": 7, "predict_field_documents": 3}) == known | {
        "train_field_model": 7, "predict_field_documents": 3
    }  # fmt: skip
    database.execute("INSERT INTO task_limit (type, per_project) VALUES ('of_others', 4)")
    assert told(known) == known | {"of_others": 4}


def publish(database: Database, limits: dict[str, int]) -> None:
    database.run(partial(admission.publish_limits, limits=limits))


def test_of_a_paused_queue_only_what_runs_still_needs_workers(database: Database) -> None:
    add(database, "queue, status", "'indexing', 'pending'", 3)
    running = "'indexing', 'started', 'w', now() + interval '10 s'"
    add(database, "queue, status, lease_owner, lease_expires_at", running)
    database.execute("INSERT INTO queue_pause (queue) VALUES ('indexing')")

    assert load(database)["indexing"] == (0, 1, 1)


def test_a_role_with_the_documented_rights_may_read_it_and_nothing_else(
    database: Database,
) -> None:
    text_of = (Path(__file__).parents[2] / "docs" / "DEPLOYMENT.md").read_text()
    (documented,) = re.findall(r"^```sql\n(.*?)^```", text_of, re.DOTALL | re.MULTILINE)
    for statement in documented.split(";"):
        if statement.strip():
            database.execute(statement.replace(" scaler", " scaler_of_test"))

    async def as_scaler(session: AsyncSession, table: str) -> int:
        await session.execute(text("SET LOCAL ROLE scaler_of_test"))
        found = await session.execute(text(f"SELECT count(*) FROM {table}"))
        return int(found.scalar_one())

    try:
        assert database.run(partial(as_scaler, table="queue_load")) == len(QueueName)
        with pytest.raises(ProgrammingError, match="permission denied"):
            database.run(partial(as_scaler, table="task"))
    finally:
        database.execute("DROP OWNED BY scaler_of_test")
        database.execute("DROP ROLE scaler_of_test")


async def test_it_does_not_look_through_the_table(database_uri: str) -> None:
    engine = create_async_engine(database_uri, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO task (message_id, type, queue, status) "
                "SELECT n::text, 't', 'training', "
                "CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'succeeded' END "
                "FROM generate_series(1, 20000) AS n"
            )
        )
        await connection.execute(text("VACUUM ANALYZE task"))
        plan: Any = await connection.scalar(
            text("EXPLAIN (FORMAT JSON) SELECT sum(load) FROM queue_load WHERE queue = 'training'")
        )
        counted = await connection.scalar(
            text("SELECT due FROM queue_load WHERE queue = 'training'")
        )
    await engine.dispose()

    scans = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") == "task"]
    assert scans
    assert all(node["Node Type"] != "Seq Scan" for node in scans), plan
    assert counted == 1000


async def test_the_role_of_an_autoscaler_looks_through_no_table_however_many_wait(
    database_uri: str,
) -> None:
    """What most rows are is looked for in the table itself, unless the role is as documented."""
    said = re.findall(r"^ALTER ROLE scaler (SET .*);$", DEPLOYMENT.read_text(), re.MULTILINE)
    engine = create_async_engine(database_uri, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for status in ("succeeded", "pending"):
            await connection.execute(
                text(
                    "INSERT INTO task (message_id, type, queue, status) "
                    f"SELECT '{status}' || n, 't', 'prediction', '{status}' "
                    "FROM generate_series(1, 30000) AS n"
                )
            )
        await connection.execute(text("VACUUM ANALYZE task"))
        for setting in said:
            await connection.execute(text(setting))
        plan: Any = await connection.scalar(text("EXPLAIN (FORMAT JSON) SELECT * FROM queue_load"))
        due = await connection.scalar(text("SELECT due FROM queue_load WHERE queue = 'prediction'"))
    await engine.dispose()

    kinds = {
        node["Node Type"] for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") == "task"
    }
    assert kinds == {"Index Scan"}
    assert due == 1000


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
