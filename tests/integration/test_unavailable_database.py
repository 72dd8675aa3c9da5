"""A PostgreSQL that ends connections, has none left, or is not there."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from lexiclass_core.client import AsyncTaskClient, DatabaseUnavailable
from lexiclass_core.db import create_engine
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.errors import translate
from lexiclass_worker.repositories.copying import copying
from tests.support.services import Workshop


@pytest.fixture
async def client(database_uri: str, broker_url: str) -> AsyncIterator[AsyncTaskClient]:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


async def terminate(workshop: Workshop, application: str) -> None:
    await workshop.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = :a AND datname = current_database()",
        a=application,
    )


@asynccontextmanager
async def every_connection(database_uri: str) -> AsyncIterator[None]:
    """Leave none to anybody else."""
    async with AsyncExitStack() as stack:
        while True:
            try:
                connection = await asyncpg.connect(database_uri.replace("+asyncpg", ""))
            except asyncpg.TooManyConnectionsError:
                break
            stack.push_async_callback(connection.close)
        yield


async def test_a_client_survives_that_its_idle_connections_are_ended(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    task = await client.index(7)
    await terminate(workshop, "lexiclass-client")

    # What ends it may come in the middle of the first.
    with suppress(DatabaseUnavailable):
        assert await client.status(task.id) == task
    assert await client.status(task.id) == task


async def test_a_connection_that_is_ended_in_the_middle_is_an_unavailable_database(
    client: AsyncTaskClient, workshop: Workshop
) -> None:
    task = await client.index(7)
    async with workshop.sessions.begin() as session:
        await session.execute(text("SELECT 1 FROM task FOR UPDATE"))
        cancelling = asyncio.create_task(client.cancel(task.id))
        await workshop.until_there_is(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND application_name = 'lexiclass-client' AND datname = current_database()"
        )
        await terminate(workshop, "lexiclass-client")

        with pytest.raises(DatabaseUnavailable, match="try again"):
            await cancelling

    assert await client.status(task.id) == task


async def test_a_server_without_a_connection_left_is_an_unavailable_database(
    client: AsyncTaskClient, database_uri: str
) -> None:
    async with every_connection(database_uri):
        with pytest.raises(DatabaseUnavailable, match="53300"):
            await client.index(7)

    assert await client.index(7)


async def meaning(work: Awaitable[None]) -> str:
    """The code of what comes of it."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - which one is what is asked
        return translate(error).code
    return "nothing"


def uris(database_uri: str) -> dict[str, str]:
    """Some where no server answers."""
    url = make_url(database_uri)
    found = {
        "no port": url.set(port=free_port()),
        "no port of several addresses": url.set(host="localhost", port=free_port()),
        "no host": url.set(host="no-such-host.invalid"),
        "no socket": url.set(host=None, query={"host": tempfile.gettempdir() + "/nowhere"}),
    }
    return {name: uri.render_as_string(hide_password=False) for name, uri in found.items()}


@pytest.mark.parametrize("what", uris("postgresql+asyncpg://u:p@h/d"))
async def test_a_server_that_is_not_there_is_an_unavailable_database(
    database_uri: str, broker_url: str, what: str
) -> None:
    uri = uris(database_uri)[what]
    async with AsyncTaskClient(database_uri=uri, broker_url=broker_url) as client:
        with pytest.raises(DatabaseUnavailable) as raised:
            await client.list()

    failure = translate(raised.value.__cause__ or raised.value)
    assert (failure.code, failure.retryable) == ("DATABASE_ERROR", True)
    assert str(make_url(uri).password) not in str(raised.value) + str(raised.value.__cause__)


async def test_a_wrong_database_is_not_one_to_wait_for(database_uri: str, broker_url: str) -> None:
    uri = make_url(database_uri).set(database="nowhere").render_as_string(hide_password=False)
    async with AsyncTaskClient(database_uri=uri, broker_url=broker_url) as client:
        with pytest.raises(DBAPIError, match="does not exist"):
            await client.list()


async def test_a_statement_that_takes_too_long_is_tried_again(database_uri: str) -> None:
    engine = create_engine(database_uri, command_timeout_s=0.1)

    async def sleep() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(5)"))

    assert await meaning(sleep()) == "DATABASE_ERROR"
    await engine.dispose()


async def test_a_copy_that_the_server_gives_up_is_tried_again(workshop: Workshop) -> None:
    async def rows() -> AsyncIterator[bytes]:
        yield b"1\n"
        await asyncio.sleep(0.3)
        yield b"1\n"

    async def copy() -> None:
        async with workshop.sessions.begin() as session:
            await session.execute(text("CREATE TEMPORARY TABLE numbers (n bigint)"))
            await session.execute(text("SET LOCAL statement_timeout = 100"))
            async with copying(session) as driver:
                await driver.copy_to_table("numbers", source=rows(), format="csv")

    assert await meaning(copy()) == "DATABASE_ERROR"
