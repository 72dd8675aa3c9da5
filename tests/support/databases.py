"""A database for each test: cloned from a migrated template, and used again if it was left whole.

To clone one costs PostgreSQL more than most tests do; to empty a few small tables costs next to
nothing. A database is used again under another name, so that nothing which outlived its test
finds it, and only if its schema, its settings and the rows that migrations wrote are those of the
template still.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy.engine import make_url

from lexiclass_core.db import create_engine
from lexiclass_core.db.migrate import upgrade

T = TypeVar("T")
Connection = Any

# Any change of a definition gives its row in a catalog another xmin. Rows of pg_class change also
# when a table is truncated or analyzed, so of these it is what they say.
_SCHEMA: Final = """
SELECT md5(string_agg(entry, ' ' ORDER BY entry)) FROM (
  SELECT concat_ws(':', relname, relnamespace, relkind, relowner, relacl, reloptions,
                   relrowsecurity, relnatts, relchecks, relhastriggers, relhasrules) AS entry
    FROM pg_class WHERE oid >= 16384 AND relkind <> 't' AND relnamespace <> 'pg_toast'::regnamespace
  UNION ALL SELECT concat_ws(':', attrelid::regclass, attnum, xmin) FROM pg_attribute
    WHERE attrelid >= 16384 AND attrelid NOT IN (SELECT oid FROM pg_class WHERE relkind = 't')
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_trigger WHERE oid >= 16384
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_attrdef WHERE oid >= 16384
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_type WHERE oid >= 16384
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_policy
  UNION ALL SELECT concat_ws(':', oid, xmin) FROM pg_extension
  UNION ALL SELECT concat_ws(':', oid, nspname, nspacl) FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%temp\\_%'
  UNION ALL SELECT concat_ws(':', indexrelid, xmin) FROM pg_index WHERE indexrelid >= 16384
    AND indrelid NOT IN (SELECT oid FROM pg_class WHERE relkind = 't')
  UNION ALL SELECT concat_ws(':', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT concat_ws(':', datacl, datconnlimit) FROM pg_database
    WHERE datname = current_database()
) AS entries"""

# Large ones are truncated: what was deleted would still be read over.
_EMPTY: Final = """
SET session_replication_role = replica;
DO $$ DECLARE "table" record; BEGIN
  FOR "table" IN SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL ({kept})
  LOOP
    IF "table".size > 262144 THEN EXECUTE format('TRUNCATE %s CASCADE', "table".name);
    ELSIF "table".size > 0 THEN EXECUTE format('DELETE FROM %s', "table".name);
    END IF;
  END LOOP;
  PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence JOIN pg_depend
      ON classid = 'pg_class'::regclass AND objid = seqrelid AND refobjsubid > 0
    WHERE refobjid::regclass::text <> ALL ({kept});
END $$"""


class Databases:
    """The databases of one server. It keeps a connection until it is closed.

    Args:
        server_uri: Of any database but the template.
        template: Name of a migrated database without rows or connections.
    """

    def __init__(self, server_uri: str, template: str) -> None:
        self._server_uri = server_uri
        self._template = template
        self._whole: list[str] = []
        # To connect costs both sides more than what is done then.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._administration: Connection | None = None
        self._filled = self._on(template, _filled_tables)
        self._state = self._on(template, self._read_state)

    def close(self) -> None:
        """End the connection."""
        if self._administration is not None:
            self._administration.terminate()
        self._runner.close()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URI of a migrated, empty database that nobody else knows, for a ``with`` block."""
        uri = self._lend()
        try:
            yield uri
        finally:
            self._take_back(uri)

    def _lend(self) -> str:
        if self._whole:
            return self._whole.pop()
        name = _new_name()
        self._administer(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self._uri_of(name)

    def _take_back(self, uri: str) -> None:
        """End whatever is still connected, and keep the database if it can be lent again."""
        before, now = make_url(uri).database, _new_name()
        self._administer(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            f"WHERE datname = '{before}'",
            f"ALTER DATABASE {before} RENAME TO {now}",
        )
        if self._on(now, self._empty):
            self._whole.append(self._uri_of(now))
        else:
            self._administer(f"DROP DATABASE {now} WITH (FORCE)")

    async def _empty(self, connection: Connection) -> bool:
        """Empty a database if only rows were added. Returns whether it is as new now."""
        kept = f"ARRAY{self._filled}"
        try:
            if await self._read_state(connection) != self._state:
                return False
            await connection.execute(_EMPTY.format(kept=kept))
        except asyncpg.PostgresError:
            # Its settings or its tables are such that this cannot be done: it is not as new.
            return False
        return True

    async def _read_state(self, connection: Connection) -> list[str]:
        """The schema, the settings and the rows that migrations wrote."""
        rows = [
            f'(SELECT string_agg("{name}"::text, \' \') FROM "{name}")' for name in self._filled
        ]
        return list(await connection.fetchrow(f"SELECT {', '.join((f'({_SCHEMA})', *rows))}"))

    def _uri_of(self, name: str) -> str:
        return make_url(self._server_uri).set(database=name).render_as_string(hide_password=False)

    def _on(self, name: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def connect_and_work() -> T:
            connection = await _connect(self._uri_of(name))
            try:
                return await work(connection)
            finally:
                await connection.close()

        return self._runner.run(connect_and_work())

    def _administer(self, *statements: str) -> None:
        async def execute() -> None:
            connection = await self._administering()
            for statement in statements:
                await connection.execute(statement)

        self._runner.run(execute())

    async def _administering(self) -> Connection:
        """The kept connection, or another one if a test has ended it with all others."""
        if self._administration is not None:
            try:
                await self._administration.execute("SELECT 1")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                self._administration.terminate()
                self._administration = None
        if self._administration is None:
            self._administration = await _connect(self._server_uri)
        return self._administration


async def _connect(uri: str) -> Connection:
    return await asyncpg.connect(uri.replace("+asyncpg", ""), ssl=False)


def _new_name() -> str:
    return f"test_{uuid.uuid4().hex}"


async def _filled_tables(connection: Connection) -> list[str]:
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = [row["tablename"] for row in found]
    return [name for name in names if await connection.fetchval(f'SELECT true FROM "{name}"')]


async def migrate(database_uri: str) -> None:
    """Make the tables of an empty database."""
    engine = create_engine(database_uri)
    await upgrade(engine)
    await engine.dispose()
