"""What lies behind an exception, in one line: for a log, a terminal, or a task's row.

The words are those of whoever refused: the operating system with the path, an object store with
its code, PostgreSQL with its SQLSTATE, Redis. Texts of other exceptions may quote a document, so
they are for logs and terminals only; see :func:`lexiclass_worker.errors.translate`.
"""

import errno
import os
import re
from typing import Final

from lexiclass_core.file_systems import refused_request

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk that is full, and to an account that has used its share."""

_LONGEST: Final = 500

# By name: these are loaded where the database is used only.
_DATABASE_LIBRARIES: Final = frozenset({"sqlalchemy", "asyncpg"})

# Of a URL: an account, or a key.
_USER: Final = re.compile(r"://[^\s/@]+@")


def cause_of(error: BaseException) -> str:
    """The kind of an exception and what it says, without an SQL statement's parameters.

    Where it says nothing, what it was caused by does.
    """
    return _USER.sub("://***@", _cause_of(error))[:_LONGEST]


def is_of_database(error: BaseException) -> bool:
    """Whether an exception is one of SQLAlchemy or asyncpg."""
    modules = (each.__module__.partition(".")[0] for each in type(error).mro())
    return not _DATABASE_LIBRARIES.isdisjoint(modules)


def _cause_of(error: BaseException) -> str:
    name = type(error).__name__
    match error:
        case OSError():
            return f"{name}: {os_error_text(error)}"
        case _ if is_of_database(error):
            from lexiclass_core.db.errors import describe  # noqa: PLC0415

            # The text of SQLAlchemy's repeats the statement, and the values in it.
            return f"{name}: {describe(error)}"
        case _ if text := _first_line(error):
            return f"{name}: {text}"
        case _ if (behind := error.__cause__ or error.__context__) is not None:
            return f"{name}, after {_cause_of(behind)}"
        case _:
            return name


def os_error_text(error: OSError) -> str:
    """What an OSError says: the system's words or its own, an object store's code, and the path."""
    text = error.strerror or _first_line(error)
    if (refusal := refused_request(error)) and (refused := str(refusal)):
        text = text if refused in text else f"{text} ({refused})"
    if not text and error.errno:
        text = os.strerror(error.errno)
    if not text:
        text = "no answer in time" if isinstance(error, TimeoutError) else "it says no more"
    if not (path := path_of(error)):
        return text
    to = error.filename2
    return (
        f"{text}: {path} -> {os.fsdecode(to)}" if isinstance(to, str | bytes) else f"{text}: {path}"
    )


def path_of(error: OSError) -> str | None:
    """The file or the object that an OSError is about, as far as it says so."""
    if isinstance(error.filename, str | bytes):
        return os.fsdecode(error.filename)
    # As lexiclass_core.file_systems.naming leaves it.
    notes: list[str] = getattr(error, "__notes__", [])
    return notes[0] if notes else None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")
