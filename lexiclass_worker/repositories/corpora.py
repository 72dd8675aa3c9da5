"""Bulk insertion of projects: documents and labels by COPY."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, FieldClass, Project
from lexiclass_worker.repositories.copying import copy_rows

_RESERVE_IDS: Final = """
    SELECT nextval(pg_get_serial_sequence('document', 'id')) FROM generate_series(1, :count)
"""


class NewDocument(NamedTuple):
    """A row of document."""

    id: int
    project_id: int
    content_path: str
    metadata: str


class NewLabel(NamedTuple):
    """A row of document_label."""

    document_id: int
    field_id: int
    class_id: int
    is_training_data: bool


async def create_project(session: AsyncSession, name: str, description: str) -> int:
    """Insert a project. Returns its id."""
    project = Project(name=name, description=description)
    session.add(project)
    await session.flush()
    return project.id


async def create_field(session: AsyncSession, project_id: int, name: str) -> int:
    """Insert a field. Returns its id."""
    field = Field(project_id=project_id, name=name)
    session.add(field)
    await session.flush()
    return field.id


async def create_classes(
    session: AsyncSession, field_id: int, names: Sequence[str]
) -> dict[str, int]:
    """Insert classes of a field. Returns the id of each name."""
    rows = await session.execute(
        insert(FieldClass).returning(FieldClass.name, FieldClass.id),
        [{"field_id": field_id, "name": name} for name in names],
    )
    return {row.name: row.id for row in rows}


async def reserve_document_ids(session: AsyncSession, count: int) -> list[int]:
    """Ids that no other document will get; a rollback leaves a gap, never a double."""
    return list(await session.scalars(text(_RESERVE_IDS), {"count": count}))


async def copy_documents(session: AsyncSession, rows: Sequence[NewDocument]) -> None:
    """Insert documents by COPY."""
    await copy_rows(session, "document", NewDocument._fields, rows)


async def copy_labels(session: AsyncSession, rows: Sequence[NewLabel]) -> None:
    """Insert labels by COPY."""
    await copy_rows(session, "document_label", NewLabel._fields, rows)
