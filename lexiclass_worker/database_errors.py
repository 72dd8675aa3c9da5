"""What an error of the database means for a task.

Loaded where the database is used only: the sandbox does without SQLAlchemy and asyncpg.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from lexiclass_core.db.errors import describe, is_transient, sqlstate_of

# Something was deleted that a row refers to, which the next attempt will not find.
_FOREIGN_KEY_VIOLATION: Final = "23503"

UNDEFINED: Final = frozenset({"42P01", "42703"})
"""SQLSTATEs of a statement that names a table or a column which is not there."""

_OTHER_TABLES: Final = (
    "; the tables are not those of this version, `lexiclass-worker check` says which they are"
)


@dataclass(frozen=True, slots=True)
class DatabaseFailure:
    """An error of the database.

    Attributes:
        is_transient: Connection losses, timeouts, deadlocks, read-only servers and the like.
        details: Its SQLSTATE.
    """

    message: str
    is_transient: bool
    details: dict[str, Any]


def read_database_error(error: BaseException) -> DatabaseFailure | None:
    """What an error of the database means; None if PostgreSQL was not even asked."""
    state = sqlstate_of(error)
    details = {"sqlstate": state}
    if isinstance(error, DBAPIError) and isinstance(error.orig, TimeoutError):
        message = (
            "PostgreSQL took longer for a statement than DATABASE__COMMAND_TIMEOUT_S allows; "
            "trying again can help, and so can a higher value"
        )
        return DatabaseFailure(message, is_transient=True, details=details)
    if is_transient(error) or state == _FOREIGN_KEY_VIOLATION:
        message = (
            "PostgreSQL could not be reached, or gave up on a transaction: "
            f"{describe(error)}; trying again can help"
        )
        return DatabaseFailure(message, is_transient=True, details=details)
    if state is None:
        return None
    hint = _OTHER_TABLES if state in UNDEFINED else ""
    message = f"PostgreSQL refused: {describe(error)}{hint}"
    return DatabaseFailure(message, is_transient=False, details=details)
