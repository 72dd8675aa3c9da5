"""Async engine and sessions."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from lexiclass_core.addresses import PostgreSQLAddress
from lexiclass_core.db.errors import ends_connection, message_of, sqlstate_of
from lexiclass_core.db.poolers import Connector
from lexiclass_core.db.privileges import INSUFFICIENT_PRIVILEGE, missing_grant
from lexiclass_core.db.values import read_json

_CONNECT_TIMEOUT_S = 10.0

SessionFactory = async_sessionmaker[AsyncSession]
"""Makes sessions: ``async with sessions.begin() as session`` is one transaction."""

Transaction = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""Opens a transaction, committed where the block ends well."""


def create_engine(
    database_uri: str,
    *,
    pool_size: int = 5,
    application_name: str = "lexiclass",
    command_timeout_s: float | None = 60.0,
    connect_timeout_s: float | None = None,
    idle_in_transaction_timeout_s: float | None = None,
) -> AsyncEngine:
    """An engine for one process. Create it after a fork, dispose it on its event loop.

    It works through PgBouncer as well, in whatever mode: see :mod:`lexiclass_core.db.poolers`.

    It raises SQLAlchemy's errors only, also when it cannot connect or a statement takes too long:
    an OSError in a transaction is one of files. See :func:`~lexiclass_core.db.errors.is_transient`.

    Args:
        database_uri: ``postgresql://user:password@host:5432/database``, with parameters such as
            ``?sslmode=require``; see :mod:`lexiclass_core.addresses`.
        pool_size: Connections kept open; no more are opened beyond as many again.
        application_name: What ``pg_stat_activity`` shows; a name in the URI comes after it.
        command_timeout_s: Longest one statement may take, in seconds; None for as long as it takes.
        connect_timeout_s: Longest a connection attempt may take, in seconds; the URI's
            ``connect_timeout``, or 10, when not given.
        idle_in_transaction_timeout_s: Seconds after which the server ends a transaction whose
            client says nothing; None leaves that to the server's own settings.

    Raises:
        InvalidAddress: If the URI is not one of PostgreSQL; a ValueError whose message does not
            repeat the URI, which may hold a password.
    """
    address = PostgreSQLAddress.parse(database_uri)
    if address.application_name:
        application_name = f"{application_name} {address.application_name}"
    connector = Connector(idle_in_transaction_timeout_s=idle_in_transaction_timeout_s)
    engine = create_async_engine(
        address.url,
        json_deserializer=read_json,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={
            **address.arguments,
            "timeout": connect_timeout_s or address.connect_timeout_s or _CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout_s,
            # The name is the only one that every pooler lets through.
            "server_settings": {**address.server_settings, "application_name": application_name},
            "async_creator_fn": connector.open,
        },
    )
    event.listen(engine.sync_engine, "do_connect", connector.connect)
    event.listen(engine.sync_engine, "begin", connector.begin)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _interpret)
    return engine


def _interpret(context: ExceptionContext) -> OperationalError | None:
    """Leave servers that should be left, name the privilege that lacks, and timeouts as such."""
    error = context.original_exception
    if isinstance(error, OSError):
        return OperationalError(context.statement, None, error)
    wrapped = context.sqlalchemy_exception or error
    if context.connection is not None and ends_connection(wrapped):
        context.is_disconnect = True
    if sqlstate_of(wrapped) == INSUFFICIENT_PRIVILEGE:
        role = None if context.engine is None else context.engine.url.username
        if grant := missing_grant(message_of(wrapped) or "", context.statement, role):
            wrapped.add_note(grant)
    return None


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool connect anew where a server that was restarted has closed a connection.

    The event loop has seen the end of the stream by then, so this needs no round trip, which
    SQLAlchemy's pool_pre_ping makes for every transaction.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has closed this connection")


def with_own_pool(engine: AsyncEngine) -> AsyncEngine:
    """An engine that connects as another does, and shares no connection with it.

    A connection belongs to the event loop that has opened it.

    Raises:
        TypeError: If the engine is not one of asyncio.
    """
    if not isinstance(engine, AsyncEngine):
        raise TypeError(
            f"{engine!r} is no engine of asyncio; give one that create_async_engine makes, on "
            "asyncpg, or its URL as database_uri"
        )
    return AsyncEngine(_with_own_pool(engine.sync_engine))


def _with_own_pool(engine: Engine) -> Engine:
    own = copy(engine)
    if isinstance(own, OptionEngine):
        # Its pool is that of the engine which it gives options to.
        own._proxied = _with_own_pool(own._proxied)  # noqa: SLF001
    else:
        own.pool = engine.pool.recreate()
    return own


def create_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions on an engine. Objects stay readable after a commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def single_statements(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A session whose statements are a transaction each: no round trips to begin and to end one.

    Each sees what is committed when it begins, as it does in a transaction by PostgreSQL's default.
    What they write is committed at once, and stays if a later one fails.
    """
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session
