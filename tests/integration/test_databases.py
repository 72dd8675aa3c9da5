"""What tests are lent: a database is as new, whatever was done to the one before it."""

import asyncio
from contextlib import closing

import asyncpg
import pytest

from lexiclass_worker.embedded import EmbeddedServers
from tests.support.databases import Databases

ADDED = "INSERT INTO project (name) VALUES ('one')"


def execute(uri: str, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(uri.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize(
    "change",
    [
        (
            "INSERT INTO task (message_id, type) SELECT n, 'index_documents' "
            "FROM generate_series(1, 5000) AS n"
        ),
        "UPDATE installation SET created_at = now()",
        "DELETE FROM schema_support",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER TABLE task ADD COLUMN colour text",
        "ALTER TABLE task DISABLE TRIGGER USER",
        "ALTER TABLE task ALTER status SET DEFAULT 'failed'",
        "ALTER TABLE task SET (autovacuum_enabled = off)",
        "GRANT SELECT ON task TO public",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        (
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 30', "
            "current_database()); END $$"
        ),
        "DROP TABLE alembic_version",
    ],
)
def test_nothing_is_left_of_what_was_done_before(
    servers: EmbeddedServers, template_database: str, change: str
) -> None:
    with closing(Databases(servers.database_uri, template_database)) as databases:
        with databases.lent() as first:
            untouched = state(first)
            execute(first, ADDED)
            execute(first, change)
        with databases.lent() as second:
            assert second != first
            assert state(second) == untouched
            assert execute(second, f"{ADDED} RETURNING id") == 1
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        execute(first, "SELECT 1")


def state(uri: str) -> list[object]:
    """Its tables with their columns, and some of what is in them and set."""
    return [
        execute(uri, query)
        for query in (
            (
                "SELECT string_agg(concat_ws(':', table_name, column_name, column_default), ' ' "
                "ORDER BY table_name, column_name) FROM information_schema.columns "
                "WHERE table_schema = 'public'"
            ),
            "SELECT concat_ws(':', (SELECT count(*) FROM project), (SELECT count(*) FROM task))",
            "SELECT string_agg(t::text, ' ') FROM schema_support AS t",
            "SELECT string_agg(t::text, ' ') FROM installation AS t",
            "SELECT string_agg(t::text, ' ') FROM alembic_version AS t",
            "SELECT string_agg(concat(tgname, tgenabled), ' ' ORDER BY oid) FROM pg_trigger",
            "SELECT concat(relacl, reloptions) FROM pg_class WHERE oid = 'task'::regclass",
            "SELECT count(*) FROM pg_proc WHERE proname = 'one'",
            "SHOW statement_timeout",
        )
    ]


@pytest.mark.slow
def test_they_are_lent_on_after_every_connection_of_the_server_was_ended(
    servers: EmbeddedServers, template_database: str
) -> None:
    with closing(Databases(servers.database_uri, template_database)) as databases:
        with databases.lent() as first:
            ended = (
                "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            assert execute(first, ended) != 0
        with databases.lent() as second:
            assert execute(second, f"{ADDED} RETURNING id") == 1
