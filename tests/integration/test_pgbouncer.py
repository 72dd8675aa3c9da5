"""Everything through PgBouncer, which gives each transaction another session of the server."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_core.db.migrate import current_revision, upgrade
from lexiclass_core.db.schema import known_version
from lexiclass_worker.config import Settings
from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.repositories.locks import index_lock, try_lock
from lexiclass_worker.repositories.predictions import copying
from tests.support.pgbouncer import running_pgbouncer
from tests.support.services import Workshop

pytestmark = pytest.mark.pgbouncer


@pytest.fixture
def directory() -> Iterator[Path]:
    """Not in pytest's own folder, which is closed to the account that PgBouncer runs under."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as directory:
        yield Path(directory)


@pytest.fixture
def pooled_uri(database_uri: str, directory: Path) -> Iterator[str]:
    """The database of this test through a pooler."""
    with running_pgbouncer(database_uri, directory) as uri:
        yield uri


@pytest.fixture
async def pooled(pooled_uri: str) -> AsyncIterator[SessionFactory]:
    """Sessions of one process, as a worker makes them."""
    engine = create_engine(pooled_uri, pool_size=10, idle_in_transaction_timeout_s=5)
    yield create_session_factory(engine)
    await engine.dispose()


async def busy(uri: str, seconds: float) -> None:
    """Transactions of somebody else, so that no two of ours get the same session."""
    connection = await asyncpg.connect(uri.replace("+asyncpg", ""), statement_cache_size=0)
    async with asyncio.timeout(seconds + 30):
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await connection.execute("BEGIN; SELECT pg_sleep(0.01); COMMIT")
    await connection.close()


async def held(workshop: Workshop) -> int:
    """Advisory locks of this database, whoever has them."""
    row = await workshop.row(
        "SELECT count(*) AS n FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE locktype = 'advisory' AND datname = current_database()"
    )
    return int(row["n"])


async def test_sessions_change_and_no_statement_misses_what_another_prepared(
    pooled: SessionFactory, pooled_uri: str
) -> None:
    async def ask(number: int) -> set[int]:
        pids = set()
        for _ in range(30):
            async with pooled.begin() as session:
                row = await session.execute(
                    text("SELECT pg_backend_pid(), CAST(:n AS bigint), CAST('{}' AS jsonb)"),
                    {"n": number},
                )
                pid, found, _ = row.one()
                assert found == number
                pids.add(pid)
        return pids

    working = asyncio.create_task(busy(pooled_uri, 1))
    seen = await asyncio.gather(*(ask(number) for number in range(8)))
    await working

    assert max(len(pids) for pids in seen) > 1, "the test shows nothing if sessions stay the same"


async def test_no_prepared_statement_and_no_setting_stays_behind(
    pooled: SessionFactory, pooled_uri: str, workshop: Workshop
) -> None:
    project_id = (await workshop.project()).project_id
    async with pooled.begin() as session:
        async with copying(session) as driver:
            await driver.copy_to_table(
                "document",
                columns=["project_id", "content_path"],
                source=io.BytesIO(f"{project_id}\ta\\tb\n".encode() * 2),
            )
        timeout = await session.scalar(text("SHOW idle_in_transaction_session_timeout"))
        assert timeout == "5s"

    connection = await asyncpg.connect(pooled_uri.replace("+asyncpg", ""), statement_cache_size=0)
    for _ in range(10):
        assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "0"
        assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    await connection.close()
    found = await workshop.rows("SELECT content_path FROM document WHERE content_path IS NOT NULL")
    assert found == [{"content_path": "a\tb"}] * 2


async def test_a_lock_excludes_others_whatever_session_they_get_and_none_is_left(
    pooled: SessionFactory, pooled_uri: str, workshop: Workshop
) -> None:
    other = create_engine(pooled_uri)
    traffic = asyncio.create_task(busy(pooled_uri, 2))
    async with try_lock(pooled, "test", silence_s=10) as lock:
        assert lock is not None
        for _ in range(10):
            async with try_lock(create_session_factory(other), "test", silence_s=10) as second:
                assert second is None
            await lock.confirm()
        assert await held(workshop) == 1
    assert await held(workshop) == 0

    async with AsyncExitStack() as stack:
        for number in range(3):
            await stack.enter_async_context(index_lock(pooled, number, silence_s=10))
        assert await held(workshop) == 3
    assert await held(workshop) == 0
    await traffic
    await other.dispose()


async def test_a_lock_of_a_process_that_says_nothing_is_given_to_others(
    pooled: SessionFactory, pooled_uri: str
) -> None:
    other = create_engine(pooled_uri)
    async with try_lock(pooled, "test", silence_s=0.5) as lock:
        assert lock is not None
        async with asyncio.timeout(30):
            second = None
            while second is None:
                async with try_lock(create_session_factory(other), "test", silence_s=10) as second:
                    await asyncio.sleep(0.1)
        with pytest.raises(SQLAlchemyError):
            await lock.confirm()
    await other.dispose()


async def test_tables_can_be_made_through_it(servers: EmbeddedServers, directory: Path) -> None:
    uri = servers.database_uri
    direct = create_engine(uri)
    async with direct.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("CREATE DATABASE pooled_tables"))
    with running_pgbouncer(uri.rsplit("/", 1)[0] + "/pooled_tables", directory) as pooled_uri:
        engines = [create_engine(pooled_uri) for _ in range(2)]
        await asyncio.gather(*(upgrade(engine) for engine in engines))
        assert await current_revision(engines[0]) == known_version()
        for engine in engines:
            await engine.dispose()
    async with direct.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("DROP DATABASE pooled_tables WITH (FORCE)"))
    await direct.dispose()


async def test_a_client_works_through_it(pooled_uri: str, broker_url: str) -> None:
    async with AsyncTaskClient(database_uri=pooled_uri, broker_url=broker_url) as client:
        tasks = await asyncio.gather(*(client.index(number) for number in range(1, 21)))
        assert {task.id for task in tasks} == {task.id for task in (await client.list()).tasks}


async def test_indexing_training_and_predicting_work_through_it(
    pooled: SessionFactory, pooled_uri: str, settings: Settings, storage_path: Path
) -> None:
    changed = settings.model_copy(update={"database_uri": SecretStr(pooled_uri)})
    workshop = Workshop(pooled, changed, storage_path)
    project = await workshop.project(training=12, test=4)
    traffic = asyncio.create_task(busy(pooled_uri, 5))

    await asyncio.gather(workshop.index(project), workshop.index(project))
    await workshop.train(project)
    await workshop.predict(project)

    assert await held(workshop) == 0
    await traffic
