"""Notes that lie in a storage, which others can write to as well: they are parsed as input."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field, TypeAdapter

from lexiclass_core.numbers import LARGEST_ID

LARGEST_NOTE: Final = 16 * 2**20
"""Bytes that a note has at most: some thousand numbers and dates are much less."""

# A part of an addition has some thousand documents.
_MOST_DOCUMENTS: Final = 1_000_000

_Id = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
_RANGES: Final = TypeAdapter(list[tuple[_Id, _Id]])
_IDS: Final = TypeAdapter(list[_Id])


class AdditionNote(NamedTuple):
    """What a note of an addition says.

    Attributes:
        database: Key of the database that it is of; None where it does not say.
        new: Ids of documents that were to be made.
        changed: Ids of those whose texts were to be replaced.
    """

    database: str | None = None
    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()


def parse_json(content: bytes | bytearray | str) -> Any:
    """Parse JSON of others.

    Raises:
        ValueError: If it is none, or nested so deeply that nobody has written it for us.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_addition(content: bytes | None) -> AdditionNote:
    """Parse the note of an addition.

    Raises:
        ValueError: If it is none, or names more documents than any.
    """
    found = parse_json(content or b"{}")
    if not isinstance(found, Mapping):
        raise ValueError("a note is no object")  # noqa: TRY004 - wrong content, as all else
    database = found.get("database")
    ranges = _RANGES.validate_python(found.get("new", []))
    changed = _IDS.validate_python(found.get("changed", []))
    if sum(max(0, last - first + 1) for first, last in ranges) + len(changed) > _MOST_DOCUMENTS:
        raise ValueError(f"a note names more than {_MOST_DOCUMENTS} documents")
    new = (number for first, last in ranges for number in range(first, last + 1))
    return AdditionNote(None if database is None else str(database), tuple(new), tuple(changed))
