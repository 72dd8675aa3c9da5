"""Workers go on with the pauses and limits they know while PostgreSQL is away, and say so once."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from loguru import logger
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from lexiclass_core.models import QueuePause
from lexiclass_worker.config import Settings
from lexiclass_worker.middleware.admission import AdmissionRefresh
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.queueing.admission import AdmissionControl


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged of it, with its level."""
    found: list[str] = []
    sink = logger.add(
        lambda line: found.append(f"{line.record['level'].name} {line.record['message']}"),
        level="INFO",
        filter="lexiclass_worker.middleware.admission",
    )
    yield found
    logger.remove(sink)


@pytest.fixture
async def database(settings: Settings, broker_url: str) -> AsyncIterator[Database]:
    """As a worker has it."""
    database = Database(settings)
    broker = RedisBroker(url=broker_url, middleware=[])
    database.before_worker_boot(broker, Worker(broker, worker_threads=1))
    engine = database.sessions.kw["bind"]
    yield database
    await engine.dispose()


async def test_a_connection_that_is_lost_as_it_begins_is_a_database_that_is_away(
    database: Database, lines: list[str]
) -> None:
    refresh = AdmissionRefresh(database, AdmissionControl({"train_field_model": 2}))
    engine = database.sessions.kw["bind"].sync_engine

    def lose(connection: Any, record: object) -> None:
        del record
        connection.driver_connection.terminate()

    # Before the driver is told what SQLAlchemy wants of it.
    event.listen(engine, "connect", lose, insert=True)
    await refresh.prepare()
    event.remove(engine, "connect", lose)
    await refresh.prepare()

    away, limits, back = lines
    assert "connection is closed" in away
    assert limits.startswith("WARNING Limits cannot be told")
    assert back == "INFO Pauses and limits are read again"


async def test_a_database_that_is_away_is_said_once_and_so_is_that_it_is_back(
    database: Database, database_uri: str, lines: list[str]
) -> None:
    control = AdmissionControl({"train_field_model": 2})
    refresh = AdmissionRefresh(database, control)
    name = make_url(database_uri).database
    server = create_async_engine(
        make_url(database_uri).set(database="postgres"), isolation_level="AUTOCOMMIT"
    )
    async with database.sessions.begin() as session:
        session.add(QueuePause(queue="training"))
    await refresh.prepare()

    async with server.connect() as connection:
        await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        await database.sessions.kw["bind"].dispose()
        for _ in range(3):
            await refresh.prepare()
        assert control.is_paused("training")
        await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    await refresh.prepare()
    await refresh.prepare()

    away, back = lines
    assert away.startswith("WARNING Pauses and limits cannot be read: ")
    assert back == "INFO Pauses and limits are read again"
    await server.dispose()
