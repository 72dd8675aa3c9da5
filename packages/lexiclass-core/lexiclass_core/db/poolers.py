"""Connections of an engine, to PostgreSQL itself or to a pooler such as PgBouncer.

A pooler may give each transaction another session of the server (``pool_mode = transaction``).
Nothing of a session may then outlive a transaction: no prepared statement with a name, no setting,
no lock. Whether there is one is found out by each connection: a pooler gives its clients process
ids of its own, to cancel statements by, and not that of the session.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect

from lexiclass_core.db.hosts import connect
from lexiclass_core.db.values import read_every_moment

_UNNAMED: Final[Mapping[str, Any]] = {
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}


class Connector:
    """How an engine connects: three events of SQLAlchemy and the driver's function.

    Args:
        idle_in_transaction_timeout_s: Seconds after which the server ends a transaction whose
            client says nothing; None leaves that to the server.
    """

    def __init__(self, *, idle_in_transaction_timeout_s: float | None) -> None:
        self._options: Mapping[str, Any] = {}
        self._set_timeout: str | None = None
        if idle_in_transaction_timeout_s is not None:
            milliseconds = round(idle_in_transaction_timeout_s * 1000)
            self._set_timeout = f"idle_in_transaction_session_timeout = {milliseconds}"

    def connect(
        self,
        dialect: Dialect,
        _record: object,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Connect, with prepared statements unless a pooler answers (event ``do_connect``)."""
        known = self._options
        connection = dialect.connect(*arguments, **options, **known)
        if known is self._options:
            return connection
        connection.close()
        return dialect.connect(*arguments, **options, **self._options)

    def begin(self, connection: Connection) -> None:
        """Set for a transaction what a pooler's sessions cannot keep (event ``begin``)."""
        if not self._options or self._set_timeout is None:
            return
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(f"SET LOCAL {self._set_timeout}")

    async def open(self, **options: Any) -> "asyncpg.Connection[Any]":
        """Connect by the driver.

        Raises:
            asyncpg.ClientCannotConnectError: No host, no port, no socket, no answer in time.
        """
        try:
            # Without a cache the driver's own statements have no name.
            connection = await connect(**options, statement_cache_size=0)
            try:
                await read_every_moment(connection)
                await self._greet(connection)
            except BaseException:
                connection.terminate()
                raise
        except OSError as error:
            reason = f"{type(error).__name__}: {str(error) or 'no answer in time'}"
            raise asyncpg.ClientCannotConnectError(reason) from error
        return connection

    async def _greet(self, connection: "asyncpg.Connection[Any]") -> None:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        if pid != connection.get_server_pid():
            self._options = _UNNAMED
        elif self._set_timeout is not None:
            await connection.execute(f"SET {self._set_timeout}")
