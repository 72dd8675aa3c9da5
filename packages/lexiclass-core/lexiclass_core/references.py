"""Projects, fields and classes as people name them: by number or by name.

A number is the id of a row where there is one, and else a name like any other. A number that is
neither is given back as it is: whoever uses it says what is missing.

::

    UnresolvedName
    ├── NameNotFound     nothing has this name
    └── NameAmbiguous    several have it
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, FieldClass, Project
from lexiclass_core.numbers import number_of
from lexiclass_core.storable import is_storable

# Names that are looked through for what somebody may have meant, and those that are told.
_LOOKED_THROUGH: Final = 10_000
_TOLD: Final = 10


class UnresolvedName(Exception):
    """A name that does not say which row is meant; the message says what there is instead."""


class NameNotFound(UnresolvedName):
    """Nothing has this name."""


class NameAmbiguous(UnresolvedName):
    """Several have this name."""


async def find_project(session: AsyncSession, reference: int | str) -> int:
    """The id of a project.

    Raises:
        NameNotFound: If no project has this name.
        NameAmbiguous: If several have it.
    """
    found = await _find(session, reference, "project", Project, Project.id > 0)
    return found[0] if len(found) == 1 else _refuse(reference, "projects", found)


async def find_field(session: AsyncSession, project_id: int, reference: int | str) -> int:
    """The id of a project's field.

    Raises:
        NameNotFound: If the project has no field of this name.
    """
    if number_of(project_id) is None:
        raise NameNotFound(f"no project has the number {project_id}")
    what = f"field of project {project_id}"
    return (await _find(session, reference, what, Field, Field.project_id == project_id))[0]


async def find_lone_field(session: AsyncSession, reference: int | str) -> int:
    """The id of a field of whatever project.

    Raises:
        NameNotFound: If no field has this name.
        NameAmbiguous: If fields of several projects have it.
    """
    found = await _find(session, reference, "field", Field, Field.id > 0)
    return found[0] if len(found) == 1 else _refuse(reference, "fields", found)


async def find_class(session: AsyncSession, field_id: int, name: str) -> int:
    """The id of a field's class. Always by its name: classes are often called 1, 2 and 3.

    Raises:
        NameNotFound: If the field has no class of this name.
    """
    classes = FieldClass.field_id == field_id
    found = await _named(session, FieldClass, name, classes)
    if not found:
        raise await _unknown(session, f"class of field {field_id}", FieldClass, name, classes)
    return found[0]


_Named = type[Project] | type[Field] | type[FieldClass]


async def _find(
    session: AsyncSession,
    reference: int | str,
    what: str,
    table: type[Project] | type[Field],
    among: ColumnElement[bool],
) -> Sequence[int]:
    number = number_of(reference)
    if number is not None:
        row = await session.scalar(select(table.id).where(table.id == number, among))
        if row is not None:
            return [row]
    found = await _named(session, table, str(reference), among)
    if found:
        return found
    if number is not None:
        return [number]
    raise await _unknown(session, what, table, str(reference), among)


async def _named(
    session: AsyncSession, table: _Named, name: str, among: ColumnElement[bool]
) -> Sequence[int]:
    if not is_storable(name):
        return []
    named = select(table.id).where(table.name == name, among).order_by(table.id)
    return list(await session.scalars(named))


async def _unknown(
    session: AsyncSession, what: str, table: _Named, name: str, among: ColumnElement[bool]
) -> NameNotFound:
    names = list(
        await session.scalars(
            select(table.name).where(among).distinct().order_by(table.name).limit(_LOOKED_THROUGH)
        )
    )
    folded = {known.casefold(): known for known in names}
    near = [folded[match] for match in get_close_matches(name.casefold(), folded, _TOLD)]
    if near:
        advice = f"did you mean {_listed(near)}?"
    elif names:
        more = f", and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        advice = f"there are {_listed(names[:_TOLD])}{more}"
    else:
        advice = "there is none"
    return NameNotFound(f"no {what} is named {name!r}: {advice}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _refuse(reference: int | str, what: str, found: Sequence[int]) -> int:
    ids = ", ".join(map(str, found[:_TOLD]))
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    raise NameAmbiguous(
        f"{len(found)} {what} are named {str(reference)!r}: name one by its number, {ids}{more}"
    )
