"""Errors of the database: what they are called, and which of them pass by themselves.

SQLAlchemy knows few of asyncpg's errors by name: that a backend was terminated, or that the server
is starting or full, comes as a plain ``DBAPIError``. What tells is the SQLSTATE.
"""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# A connection that is in no state to be used, mostly because it has just been lost.
_BROKEN_CONNECTION: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)

DATABASE_ERRORS: Final = (SQLAlchemyError, asyncpg.PostgresError, *_BROKEN_CONNECTION)
"""What engines of :func:`~lexiclass_core.db.create_engine` raise; asyncpg's own during a COPY."""

# 08 connection, 40 rollback, 53 resources, 55 locks, 57 operator intervention:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING: Final = frozenset({"08", "40", "53", "55", "57"})


def sqlstate_of(error: BaseException) -> str | None:
    """What PostgreSQL calls the error; None if it did not come to that."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state: str | None = getattr(origin, "sqlstate", None)
    return state


def passes(error: BaseException) -> bool:
    """Whether the same can succeed later.

    It can if the server was out of reach, starting, stopping or full, or gave up on a transaction
    or on a statement that took too long.
    """
    if isinstance(error, (PoolTimeoutError, InterfaceError, OperationalError, *_BROKEN_CONNECTION)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return (sqlstate_of(error) or "")[:2] in _PASSING
