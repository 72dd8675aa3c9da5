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
from tests.support.database import Database

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


def test_what_a_dead_worker_left_is_due_and_what_waits_for_its_chunks_is_not(
    database: Database,
) -> None:
    lapsed = "'prediction', 'started', 'w', now() - interval '1 s'"
    add(database, "queue, status, lease_owner, lease_expires_at", lapsed)
    add(database, "queue, status, num_chunks", "'prediction', 'started', 4")

    assert load(database)["prediction"] == (1, 0, 1)


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


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
