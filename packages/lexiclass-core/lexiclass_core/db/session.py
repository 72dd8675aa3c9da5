"""Async engine and sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

SessionFactory = async_sessionmaker[AsyncSession]
"""Makes sessions: ``async with sessions.begin() as session`` is one transaction."""


def create_engine(
    database_uri: str,
    *,
    pool_size: int = 5,
    application_name: str = "lexiclass",
    command_timeout_s: float = 60.0,
    connect_timeout_s: float = 10.0,
    idle_in_transaction_timeout_s: float | None = None,
) -> AsyncEngine:
    """An engine for one process. Create it after a fork, dispose it on its event loop.

    It raises SQLAlchemy's errors only, also when it cannot connect or a statement takes too long:
    an OSError in a transaction is one of files. See :func:`~lexiclass_core.db.errors.passes`.

    Args:
        database_uri: ``postgresql+asyncpg://user:password@host:5432/database``.
        pool_size: Connections kept open; no more are opened beyond as many again.
        application_name: What ``pg_stat_activity`` shows.
        command_timeout_s: Longest one statement may take, in seconds.
        connect_timeout_s: Longest a connection attempt may take, in seconds.
        idle_in_transaction_timeout_s: Seconds after which the server ends a transaction whose
            client says nothing; None leaves that to the server's own settings.

    Raises:
        ValueError: If the URI is not one of PostgreSQL through asyncpg. The message does not
            repeat the URI, which may hold a password.
    """
    try:
        url = make_url(database_uri)
    except ArgumentError:
        raise ValueError(_EXPECTED_URI) from None
    if url.drivername != "postgresql+asyncpg":
        raise ValueError(f"{_EXPECTED_URI}, not {url.drivername}://")
    server_settings = {"application_name": application_name}
    if idle_in_transaction_timeout_s is not None:
        milliseconds = str(round(idle_in_transaction_timeout_s * 1000))
        server_settings["idle_in_transaction_session_timeout"] = milliseconds
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={
            "timeout": connect_timeout_s,
            "command_timeout": command_timeout_s,
            "server_settings": server_settings,
            "async_creator_fn": _connect,
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _name_timeout)
    return engine


async def _connect(*arguments: Any, **options: Any) -> "asyncpg.Connection[Any]":
    try:
        return await asyncpg.connect(*arguments, **options)
    except OSError as error:
        # No host, no port, no socket, no answer in time.
        raise asyncpg.ClientCannotConnectError(f"{type(error).__name__}: {error}") from error


def _name_timeout(context: ExceptionContext) -> OperationalError | None:
    error = context.original_exception
    return OperationalError(context.statement, None, error) if isinstance(error, OSError) else None


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool connect anew where a server that was restarted has closed a connection.

    The event loop has seen the end of the stream by then, so this needs no round trip, which
    SQLAlchemy's pool_pre_ping makes for every transaction.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has closed this connection")


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


_EXPECTED_URI = (
    "the database URI must look like postgresql+asyncpg://user:password@host:5432/database"
)
