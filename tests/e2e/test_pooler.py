"""Workers and commands whose DATABASE_URI leads to PgBouncer, which has other clients too."""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from lexiclass_worker.config import export_environment
from tests.support.database import Database
from tests.support.house import House, open_house
from tests.support.pgbouncer import running_pgbouncer

pytestmark = pytest.mark.pgbouncer

COMMAND = Path(sys.executable).with_name("lexiclass-worker")
LOCKS = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)


@pytest.fixture
def pooled_uri(database_uri: str) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="pgbouncer-") as directory,
        running_pgbouncer(database_uri, Path(directory), default_pool_size="10") as uri,
    ):
        yield uri


@pytest.fixture
def house(pooled_uri: str, database_uri: str, broker_url: str, tmp_path: Path) -> Iterator[House]:
    with (
        open_house(pooled_uri, broker_url, tmp_path, RECONCILER__INTERVAL_S="1") as house,
        # The tests' own SQL is any program's, which a pooler need not suit.
        Database(database_uri) as direct,
    ):
        house.database = direct
        yield house


@contextmanager
def traffic(uri: str) -> Iterator[None]:
    """Three clients whose transactions take a third of a second each."""
    ended = threading.Event()

    async def ask() -> None:
        connection = await asyncpg.connect(uri.replace("+asyncpg", ""), statement_cache_size=0)
        while not ended.is_set():
            await connection.fetchval("SELECT pg_sleep(0.3)")
        await connection.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(ask() for _ in range(3)))

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run(house: House, *arguments: object, status: int = 0) -> Any:
    done = subprocess.run(
        [COMMAND, *map(str, arguments), "--json"],
        env=export_environment(house.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def test_everything_works_and_no_lock_is_left(house: House, pooled_uri: str) -> None:
    project = house.project()
    with traffic(pooled_uri), house.worker(processes=2):
        checked = {row["check"]: row for row in run(house, "check")["checks"]}
        # The servers of the tests write nothing to a disk on purpose.
        assert checked.pop("postgresql persistence")["state"] == "warn"
        assert {row["state"] for row in checked.values()} <= {"pass", "skipped"}
        assert "through a pooler" in checked["postgresql version"]["found"]
        for _ in range(2):
            indexed = run(house, "index", project.project_id, "--wait")
            assert indexed["status"] == "succeeded"
        house.train(project)
        for _ in range(5):
            house.database.succeeded(house.send_prediction(project, None))
        assert len(run(house, "workers", "list")) == 2
        assert run(house, "db", "upgrade")["now"]
    database = house.database
    assert database.value(LOCKS) == 0
    assert database.value("SELECT sum(crashes) + max(attempts) FROM task") == 1
    assert database.value("SELECT count(*) FROM worker") == 0
