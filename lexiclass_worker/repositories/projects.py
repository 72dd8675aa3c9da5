"""Projects and their fields."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, case, exists, func, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import (
    Document,
    Field,
    FieldClass,
    IndexStatus,
    Project,
    ProjectIndexStatus,
    ProjectModelStatus,
)
from lexiclass_worker.errors import NotFound


async def require_project(session: AsyncSession, project_id: int) -> Project:
    """The project.

    Raises:
        NotFound: If there is none.
    """
    project = await session.get(Project, project_id)
    if project is None:
        raise NotFound(f"project {project_id} does not exist", details={"project_id": project_id})
    return project


async def require_field(session: AsyncSession, project_id: int, field_id: int) -> None:
    """Check that a field is one of this project.

    Raises:
        NotFound: If the project or the field does not exist, or the field is another project's.
    """
    found = await session.execute(_FIND_FIELD, {"project": project_id, "field": field_id})
    row = found.one_or_none()
    if row is None:
        raise NotFound(f"project {project_id} does not exist", details={"project_id": project_id})
    if row[0] is None:
        raise NotFound(
            f"project {project_id} has no field {field_id}",
            details={"project_id": project_id, "field_id": field_id},
        )


async def list_projects(session: AsyncSession) -> list[dict[str, Any]]:
    """Every project with its number of documents and its fields, by id."""
    documents = select(func.count()).where(Document.project_id == Project.id).scalar_subquery()
    rows = await session.execute(select(Project, documents.label("documents")).order_by(Project.id))
    fields = await session.scalars(select(Field).order_by(Field.id))
    fields_of: dict[int, list[dict[str, Any]]] = {}
    for field in fields:
        fields_of.setdefault(field.project_id, []).append({"id": field.id, "name": field.name})
    return [
        {
            "id": project.id,
            "name": project.name,
            "documents": count,
            "fields": fields_of.get(project.id, []),
            "index_status": project.index_status,
            "model_status": project.model_status,
            "last_indexed_at": project.last_indexed_at,
            "last_trained_at": project.last_trained_at,
        }
        for project, count in rows
    ]


async def field_names(session: AsyncSession, project_id: int) -> list[str]:
    """The names of a project's fields, oldest first."""
    named = select(Field.name).where(Field.project_id == project_id).order_by(Field.id)
    return list(await session.scalars(named))


async def class_ids(session: AsyncSession, field_id: int) -> set[int]:
    """The ids of a field's classes."""
    return set((await session.execute(_CLASS_IDS, {"field": field_id})).scalars())


async def classes(session: AsyncSession, field_id: int) -> dict[str, int]:
    """The ids of a field's classes, by their names."""
    rows = await session.execute(
        select(FieldClass.name, FieldClass.id).where(FieldClass.field_id == field_id)
    )
    return {row.name: row.id for row in rows}


async def class_names(session: AsyncSession, field_id: int) -> list[str]:
    """The names of a field's classes, sorted."""
    names = select(FieldClass.name).where(FieldClass.field_id == field_id)
    return list(await session.scalars(names.order_by(FieldClass.name)))


async def set_index_status(
    session: AsyncSession, project_id: int, status: ProjectIndexStatus
) -> None:
    """Say how far a project is indexed; ``last_indexed_at`` moves when it is."""
    values: dict[str, object] = {"index_status": status}
    if status is ProjectIndexStatus.INDEXED:
        values["last_indexed_at"] = func.now()
    await session.execute(update(Project).where(Project.id == project_id).values(values))


async def end_indexing(session: AsyncSession, project_id: int) -> None:
    """Say what is left of a project's index when an indexing has come to nothing."""
    ended = update(Project).where(Project.id == project_id).values(index_status=index_status_left())
    await session.execute(ended.execution_options(synchronize_session=False))


def index_status_left() -> ColumnElement[ProjectIndexStatus]:
    """Indexed where documents are: the index of before stands."""
    is_indexed = exists().where(
        Document.project_id == Project.id, Document.index_status == IndexStatus.INDEXED
    )
    return case((is_indexed, ProjectIndexStatus.INDEXED), else_=ProjectIndexStatus.FAILED)


async def set_model_status(
    session: AsyncSession,
    project_id: int,
    status: ProjectModelStatus,
    *,
    trained_at: datetime | None = None,
) -> None:
    """Say what the latest training of a project came to."""
    values: dict[str, object] = {"model_status": status}
    if trained_at is not None:
        values["last_trained_at"] = trained_at
    await session.execute(update(Project).where(Project.id == project_id).values(values))


# Made once, of tables: predictions of a few documents ask these, and little else.
_PROJECT, _FIELD = inspect(Project).local_table, inspect(Field).local_table
_CLASS = inspect(FieldClass).local_table
_FIND_FIELD: Final = (
    select(_FIELD.c.id)
    .select_from(
        _PROJECT.outerjoin(
            _FIELD, (_FIELD.c.project_id == _PROJECT.c.id) & (_FIELD.c.id == bindparam("field"))
        )
    )
    .where(_PROJECT.c.id == bindparam("project"))
)
_CLASS_IDS: Final = select(_CLASS.c.id).where(_CLASS.c.field_id == bindparam("field"))
