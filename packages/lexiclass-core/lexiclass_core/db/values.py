"""Values of rows that other programs have written, and that Python cannot hold as they are.

PostgreSQL has moments before the year 1 and after 9999, infinite ones too, JSON of any depth, and
numbers of any length. One of them in one row would fail every statement that reads it along with
others. Here such a moment is the first or the last that there is, and such JSON an object that says
what is wrong with it.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lexiclass_core.storable import DEEPEST

if TYPE_CHECKING:
    import asyncpg

# A day from the ends of Python's calendar, so that they have a date in every time zone.
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Stands for every moment before it."""

LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Stands for every moment after it."""

# As PostgreSQL counts: https://www.postgresql.org/docs/current/datatype-datetime.html
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (EARLIEST - _EPOCH) // _MICROSECOND
_LAST: Final = (LATEST - _EPOCH) // _MICROSECOND


class UnreadableJSON(dict[str, Any]):
    """What stands for JSON that cannot be read; its only field, ``unreadable``, says why.

    It is made as any dict, so that what copies dicts copies it.
    """

    @property
    def reason(self) -> str:
        """Why it cannot be read."""
        return str(self["unreadable"])


def object_of(value: object) -> dict[str, Any]:
    """The value of JSON if it is an object; an empty one of whatever others have written there."""
    return value if isinstance(value, dict) else {}


def read_json(text: str) -> Any:
    """The value of a JSON text; an :class:`UnreadableJSON` of one that Python cannot hold."""
    try:
        value = json.loads(text)
    except RecursionError:
        return UnreadableJSON(unreadable=f"more than {DEEPEST} levels")
    except ValueError:
        # PostgreSQL has looked at the rest.
        return UnreadableJSON(unreadable="a number of more digits than can be read")
    # Few texts have so many brackets; of those that have, few are deep.
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
        return UnreadableJSON(unreadable=f"more than {DEEPEST} levels")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


async def read_every_moment(connection: "asyncpg.Connection[Any]") -> None:
    """Let a connection give some moment for whatever PostgreSQL has."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encode, decoder=_decode, format="tuple"
    )


def _encode(moment: datetime) -> tuple[int]:
    return ((moment.astimezone(UTC) - _EPOCH) // _MICROSECOND,)


def _decode(value: tuple[int]) -> datetime:
    return _EPOCH + timedelta(microseconds=max(_FIRST, min(_LAST, value[0])))
