"""A PostgreSQL that ends connections, has none left, or is not there."""

import asyncio
import io
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client import AsyncTaskClient, DatabaseUnavailable
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.db.errors import describe
from lexiclass_core.models import TaskStatus
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.errors import translate
from lexiclass_worker.repositories.predictions import copying
from tests.support.services import Workshop


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

    assert (await client.index(7)).status is TaskStatus.PENDING


async def meaning(work: Awaitable[object]) -> str:
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


async def test_a_server_that_has_become_read_only_is_left_and_tried_again(
    database_uri: str,
) -> None:
    """As a primary that was demoted is, which goes on answering reads."""
    engine = create_engine(database_uri, pool_size=2)
    sessions = create_session_factory(engine)

    async def demote() -> set[int]:
        async with sessions.begin() as one, sessions.begin() as two:
            for session in (one, two):
                await session.execute(text("SET default_transaction_read_only = on"))
            return await pids(one, two)

    async def pids(*open_sessions: AsyncSession) -> set[int]:
        return {await s.scalar(text("SELECT pg_backend_pid()")) for s in open_sessions}

    async def write() -> None:
        async with sessions.begin() as session:
            await session.execute(text("INSERT INTO queue_pause (queue) VALUES ('training')"))

    before = await demote()
    with pytest.raises(DBAPIError) as raised:
        await write()
    async with sessions() as one, sessions() as two:
        assert not before & await pids(one, two)
    await write()

    failure = translate(raised.value)
    assert failure.retryable
    assert "in a read-only transaction (SQLSTATE 25006)" in failure.message
    await engine.dispose()


async def test_a_copy_to_a_server_that_has_become_read_only_leaves_it(database_uri: str) -> None:
    engine = create_engine(database_uri, pool_size=1)
    sessions = create_session_factory(engine)

    async def copy() -> int | None:
        async with sessions.begin() as session:
            pid: int | None = await session.scalar(text("SELECT pg_backend_pid()"))
            found.append(pid)
            async with copying(session) as driver:
                await driver.copy_to_table(
                    "queue_pause", columns=["queue"], source=io.BytesIO(b"training\n")
                )
            return pid

    found: list[int | None] = []
    async with sessions.begin() as session:
        await session.execute(text("SET default_transaction_read_only = on"))
    assert await meaning(copy()) == "DATABASE_ERROR"
    assert await meaning(copy()) == "nothing"

    assert found[0] != found[1]
    await engine.dispose()


@asynccontextmanager
async def as_role(workshop: Workshop, database_uri: str, *grants: str) -> AsyncIterator[str]:
    """The database as a role without rights but some sees it."""
    role = f"app-{uuid.uuid4().hex[:8]}"
    url = make_url(database_uri).set(username=role, password="x")
    await workshop.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'")
    for grant in grants:
        await workshop.execute(f'{grant} TO "{role}"')
    yield url.render_as_string(hide_password=False)
    await workshop.execute(f'DROP OWNED BY "{role}" CASCADE')
    await workshop.execute(f'DROP ROLE "{role}"')


GRANTS = [
    ("SELECT * FROM task", "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE task"),
    ("CREATE TABLE mine (n int)", "GRANT CREATE ON SCHEMA public"),
    ("SELECT nextval('task_id_seq')", "GRANT USAGE, SELECT ON SEQUENCE task_id_seq"),
    ("ALTER TABLE task ADD COLUMN mine int", "ALTER TABLE task OWNER"),
]


@pytest.mark.parametrize(("statement", "grant"), GRANTS)
async def test_a_right_that_is_missing_is_told_as_the_grant_that_gives_it(
    workshop: Workshop, database_uri: str, statement: str, grant: str
) -> None:
    async with as_role(workshop, database_uri) as uri:
        engine = create_engine(uri)

        async def refused() -> None:
            async with engine.begin() as connection:
                await connection.execute(text(statement))

        with pytest.raises(DBAPIError) as raised:
            await refused()
        failure = translate(raised.value)
        assert f'(SQLSTATE 42501); {grant} TO "{make_url(uri).username}"' in failure.message
        assert not failure.retryable

        await workshop.execute(failure.message.rpartition("; ")[2])
        await refused()
        await engine.dispose()


async def test_no_value_of_a_statement_is_told(workshop: Workshop) -> None:
    secret = "the text of a document"
    project_id = (await workshop.project()).project_id
    statements: list[tuple[str, dict[str, object]]] = [
        ("SELECT CAST(CAST(:v AS text) AS integer)", {"v": secret}),
        ("SELECT CAST(:v AS integer)", {"v": secret}),
        (
            "INSERT INTO field (project_id, name) SELECT :p, :v FROM generate_series(1, 2)",
            {"p": project_id, "v": secret},
        ),
    ]
    for statement, values in statements:
        with pytest.raises(DBAPIError) as raised:
            await workshop.execute(statement, **values)

        assert secret not in describe(raised.value)
        assert "SQLSTATE" in describe(raised.value)
