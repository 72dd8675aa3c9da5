"""Whose storage it is: that of one database, which a file in the storage's root names.

Databases number their projects alike. Two of them on one storage would write over each other's
files, and a mistyped path or URI leads there.
"""

import json
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core import layout
from lexiclass_core.documents.errors import ForeignStorage
from lexiclass_core.documents.notes import parse_json
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.models import Installation


class Owner(NamedTuple):
    """A database.

    Attributes:
        key: What it has made up for itself. A copy and a restored dump have it, too.
        name: For people; others may have it.
    """

    key: str
    name: str

    def __str__(self) -> str:
        return f"database {self.name!r} ({self.key})"


async def this_database(session: AsyncSession | AsyncConnection) -> Owner | None:
    """The database that a session is connected to; None if somebody removed its key."""
    found = await session.execute(select(Installation.key, func.current_database()))
    row = found.first()
    return None if row is None else Owner(str(row[0]), str(row[1]))


def owner_of(texts: TextStore) -> Owner | None:
    """The database that a storage says it belongs to; None if it says nothing.

    Raises:
        OSError: If the storage fails.
    """
    (content,) = texts.read_texts([layout.owner_file()])
    try:
        found = parse_json(content or b"null")
        return Owner(str(found["key"]), str(found["name"]))
    except (ValueError, TypeError, KeyError):
        return None


def require_own(texts: TextStore, own: Owner | None) -> Owner | None:
    """The owner of a storage, if it names one.

    ``own`` is the database that is to use it; None where that cannot be asked for.

    Raises:
        ForeignStorage: If it belongs to another database.
        OSError: If the storage fails.
    """
    owner = owner_of(texts)
    if owner is not None and own is not None and owner.key != own.key:
        raise ForeignStorage(
            f"the storage {texts.root} is that of {owner}, and the database in use is {own}: "
            "correct STORAGE__BASE_PATH or DATABASE_URI; only if no other database uses the "
            f"storage any more, remove {layout.owner_file()} from it"
        )
    return owner


def claim(texts: TextStore, own: Owner) -> None:
    """Say in a storage that it belongs to a database; the last of several at once counts.

    Raises:
        ForeignStorage: If another one was the last.
        OSError: If the storage fails.
    """
    texts.write_texts([(layout.owner_file(), json.dumps(own._asdict()))])
    require_own(texts, own)
