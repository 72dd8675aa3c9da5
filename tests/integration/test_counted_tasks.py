"""How many tasks there are, told to /metrics without a look at all of them each time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from prometheus_client import Metric

from lexiclass_core.models import FINAL_TASK_STATUSES, TaskStatus
from lexiclass_worker.telemetry.counted_tasks import OPEN_TASK_STATUSES, KeptCounts, TaskSource
from lexiclass_worker.telemetry.scrape import RowSource
from lexiclass_worker.telemetry.task_counts import read_task_waits
from tests.support.database import Database
from tests.support.workers import wait_until

FOR_EVER = 1e12


READS = (
    "SELECT seq_tup_read AS in_turn, idx_tup_fetch AS by_index FROM pg_stat_user_tables "
    "WHERE relname = 'task'"
)


@contextmanager
def locked(database_uri: str) -> Iterator[None]:
    """Nobody reads the tasks until the end of the ``with`` block."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_uri.replace("+asyncpg", "")))
        runner.run(connection.execute("BEGIN; LOCK TABLE task"))
        try:
            yield
        finally:
            runner.run(connection.close())


def add(database: Database, count: int, **values: str) -> None:
    """Write tasks of one kind."""
    columns = {"type": "'index_documents'", "queue": "'indexing'", "status": "'succeeded'"} | values
    database.execute(
        f"INSERT INTO task (message_id, {', '.join(columns)}) SELECT "
        f"gen_random_uuid(), {', '.join(columns.values())} FROM generate_series(1, {count})"
    )


def told(metrics: list[Metric], **labels: str) -> float | None:
    """The value of the series with these labels."""
    (metric,) = metrics
    return next((each.value for each in metric.samples if each.labels == labels), None)


def succeeded(counts: Any) -> int | None:
    """Of indexings."""
    return None if counts is None else int(counts[TaskStatus.SUCCEEDED, "index_documents"])


def test_a_few_are_counted_anew_each_time(database: Database, database_uri: str) -> None:
    source = TaskSource(database_uri)
    labels = {"status": "succeeded", "type": "index_documents"}
    assert told(source.read(), **labels) == 0
    add(database, 2)
    add(database, 1, status="'pending'", type="'made-up'")
    assert told(source.read(), **labels) == 2
    assert told(source.read(), status="pending", type="unknown") == 1


def test_many_are_told_as_they_were_counted_last_until_counting_is_due(
    database: Database, database_uri: str
) -> None:
    rare = KeptCounts(database_uri, FINAL_TASK_STATUSES, few=2, share=FOR_EVER)
    often = KeptCounts(database_uri, FINAL_TASK_STATUSES, few=2, share=0)
    add(database, 2)
    assert (succeeded(rare.read()), succeeded(often.read())) == (2, 2)
    add(database, 1)
    assert (succeeded(rare.read()), succeeded(often.read())) == (3, 3)
    add(database, 1)
    assert (succeeded(rare.read()), succeeded(often.read())) == (3, 4)


def test_counting_goes_on_beside_the_scrapes_and_is_told_once_it_is_done(
    database: Database, database_uri: str
) -> None:
    add(database, 3)
    finished = KeptCounts(
        database_uri, FINAL_TASK_STATUSES, few=2, share=0, patience_s=0.05, timeout_s=60
    )
    with locked(database_uri):
        assert finished.read() is None
        assert finished.read() is None
    wait_until(lambda: finished.read() is not None)
    with locked(database_uri):
        assert succeeded(finished.read()) == 3


def test_what_cannot_be_counted_is_an_error_and_not_told(
    database: Database, database_uri: str
) -> None:
    add(database, 1)
    slow = KeptCounts(database_uri, OPEN_TASK_STATUSES, share=0, timeout_s=2, patience_s=60)
    with locked(database_uri), pytest.raises(Exception, match="statement timeout"):
        slow.read()
    assert slow.read() is not None


@pytest.mark.slow
def test_what_could_not_be_counted_is_not_counted_again_at_once(
    database: Database, database_uri: str
) -> None:
    failing = KeptCounts(
        database_uri, OPEN_TASK_STATUSES, share=FOR_EVER, timeout_s=2, patience_s=60
    )
    with locked(database_uri), pytest.raises(Exception, match="statement timeout"):
        failing.read()
    with pytest.raises(Exception, match="statement timeout"):
        failing.read()


def test_open_tasks_are_found_among_finished_ones_by_an_index(
    database: Database, database_uri: str
) -> None:
    add(database, 30_000)
    add(database, 3, status="'started'")
    add(database, 3, status="'pending'")
    database.execute("ANALYZE task")
    before = database.rows(READS)[0]
    counts = KeptCounts(database_uri, OPEN_TASK_STATUSES).read()
    RowSource(name="waits", database_uri=database_uri, reading=read_task_waits).read()
    assert counts is not None
    assert counts[TaskStatus.STARTED, "index_documents"] == 3

    def read_since() -> dict[str, int]:
        found = database.rows(READS)[0]
        return {name: found[name] - before[name] for name in found}

    # Counted by both, which tell it when they end.
    wait_until(lambda: read_since()["by_index"] >= 12)
    assert read_since()["in_turn"] == 0
