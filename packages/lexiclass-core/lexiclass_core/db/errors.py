"""Errors of the database: what they say, which are transient, and which end their connection.

SQLAlchemy knows few of asyncpg's errors by name: that a backend was terminated, or that the server
is starting or full, comes as a plain ``DBAPIError``. What tells is the SQLSTATE.
"""

from collections.abc import Iterator
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# A connection that is in no state to be used, mostly because it has just been lost.
_BROKEN_CONNECTION: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)

DATABASE_ERRORS: Final = (SQLAlchemyError, asyncpg.PostgresError, *_BROKEN_CONNECTION)
"""What engines of :func:`~lexiclass_core.db.create_engine` raise; asyncpg's own during a COPY."""

READ_ONLY: Final = "25006"
"""The SQLSTATE of a statement that writes, on a server that does not let it."""

# What follows in a transaction of which a statement was refused.
_ABORTED: Final = "25P02"

# 08 connection, 40 rollback, 53 resources, 55 locks, 57 operator intervention:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
# A server that is read-only was a primary when it was connected to: another is, or will be.
_TRANSIENT: Final = ("08", "40", "53", "55", "57", READ_ONLY, _ABORTED)

# admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout
_ENDING: Final = ("08", READ_ONLY, _ABORTED, "57P01", "57P02", "57P03", "57P04", "57P05")

# 22 data exception: the message quotes the value.
_QUOTING: Final = "22"

_LONGEST: Final = 500


def sqlstate_of(error: BaseException) -> str | None:
    """What PostgreSQL calls the error; None if it did not come to that."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state: str | None = getattr(origin, "sqlstate", None)
    return state


def is_transient(error: BaseException) -> bool:
    """Whether the same can succeed later.

    It can if the server was out of reach, starting, stopping, full or read-only, or gave up on a
    transaction or on a statement that took too long.
    """
    if isinstance(error, (PoolTimeoutError, InterfaceError, OperationalError, *_BROKEN_CONNECTION)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return (sqlstate_of(error) or "").startswith(_TRANSIENT)


def ends_connection(error: BaseException) -> bool:
    """Whether the connection leads to a server that should be left, if it is not gone already.

    So it is with a primary that was demoted and answers reads as before.
    """
    return (sqlstate_of(error) or "").startswith(_ENDING)


def describe(error: BaseException) -> str:
    """What an error says, in PostgreSQL's own words and with its SQLSTATE, for logs and people.

    DETAIL is left out, and messages that quote a value: both may hold what nobody else may read.
    What was noted on the error (``add_note``) follows.
    """
    words = "; ".join((_words(error), *getattr(error, "__notes__", ())))
    return words[:_LONGEST]


def message_of(error: BaseException) -> str | None:
    """PostgreSQL's own message; None if it did not come to that, or the message quotes a value."""
    refused = [origin for origin in _origins(error) if getattr(origin, "sqlstate", None)]
    if not refused or (sqlstate_of(error) or "").startswith(_QUOTING):
        return None
    # The driver's own error, to whose text the lines DETAIL and HINT belong.
    said = getattr(refused[-1], "message", None) or str(refused[-1])
    return next(iter(str(said).strip().splitlines()), "")


def _words(error: BaseException) -> str:
    if state := sqlstate_of(error):
        return f"{message_of(error) or type(error).__name__} (SQLSTATE {state})"
    for origin in _origins(error):
        if isinstance(origin, TimeoutError):
            return str(origin) or "no answer in time"
        if isinstance(origin, (*_BROKEN_CONNECTION, PoolTimeoutError, OSError)):
            return f"{origin}" or type(origin).__name__
    return type(error).__name__


def _origins(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of, the driver's own last."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.orig if isinstance(current, DBAPIError) else current.__cause__
