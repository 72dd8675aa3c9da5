"""Projects, fields and classes, made as they are needed."""

import asyncio
from collections.abc import Collection
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.documents.errors import InvalidDocument, ProjectNotFound
from lexiclass_core.documents.values import require_name
from lexiclass_core.models import Field, FieldClass, Project
from lexiclass_core.numbers import number_of

_POLL_S: Final = 0.2


async def create_project(session: AsyncSession, name: str, description: str = "") -> int:
    """Insert a project. Returns its id.

    Raises:
        InvalidDocument: If it cannot have this name.
    """
    require_name("project", name)
    project = Project(name=name, description=description)
    session.add(project)
    await session.flush()
    return project.id


async def lock_documents(session: AsyncSession, project_id: int) -> None:
    """Keep others from adding documents to a project until the transaction ends.

    Nobody else waits for it: an indexing, say, goes on.

    Raises:
        ProjectNotFound: If there is none.
    """
    await wait_for_additions(session, project_id)
    await _require_project(session, project_id)


async def wait_for_additions(session: AsyncSession, project_id: int) -> None:
    """Wait until nobody adds documents to a project; nobody begins until the transaction ends.

    Asked for again and again rather than waited for: a statement has a time limit, an addition has
    none.
    """
    while True:
        if await lock_unless_adding(session, project_id):
            return
        await asyncio.sleep(_POLL_S)


async def lock_unless_adding(session: AsyncSession, project_id: int) -> bool:
    """As :func:`wait_for_additions`, without waiting. Returns whether nobody adds documents."""
    key = func.hashtextextended(f"lexiclass documents {project_id}", 0)
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(key))))


async def create_field(session: AsyncSession, project_id: int, name: str) -> int:
    """The id of a project's field of this name, made if there is none.

    Raises:
        InvalidDocument: If it cannot have this name.
        ProjectNotFound: If the project does not exist.
    """
    require_name("field", name)
    await _require_project(session, project_id)
    made = insert(Field).values(project_id=project_id, name=name)
    await session.execute(
        made.on_conflict_do_nothing(index_elements=[Field.project_id, Field.name])
    )
    found = select(Field.id).where(Field.project_id == project_id, Field.name == name)
    return (await session.execute(found)).scalar_one()


async def _require_project(session: AsyncSession, project_id: int) -> None:
    # PostgreSQL refuses to look for a larger one.
    is_number = number_of(project_id) is not None
    there = select(Project.id).where(Project.id == project_id)
    if not is_number or await session.scalar(there) is None:
        raise ProjectNotFound(project_id)


async def create_classes(
    session: AsyncSession, field_id: int, names: Collection[str]
) -> dict[str, int]:
    """The ids of a field's classes of these names, by name; those that are missing are made.

    Raises:
        InvalidDocument: If a class cannot have one of the names.
    """
    wanted = sorted(set(names))
    for name in wanted:
        require_name("class", name, may_be_blank=True)
    if not wanted:
        return {}
    made = insert(FieldClass).values([{"field_id": field_id, "name": name} for name in wanted])
    await session.execute(
        made.on_conflict_do_nothing(index_elements=[FieldClass.field_id, FieldClass.name])
    )
    rows = await session.execute(
        select(FieldClass.name, FieldClass.id).where(
            FieldClass.field_id == field_id, FieldClass.name.in_(wanted)
        )
    )
    return {row.name: row.id for row in rows}


async def name_of_class(session: AsyncSession, field_id: int, class_id: int) -> str:
    """The name of a field's class.

    Raises:
        InvalidDocument: If the field has no such class.
    """
    found = select(FieldClass.name).where(
        FieldClass.field_id == field_id, FieldClass.id == class_id
    )
    name = await session.scalar(found)
    if name is None:
        raise InvalidDocument(
            f"field {field_id} has no class {class_id}: it was removed, or is another field's"
        )
    return name
