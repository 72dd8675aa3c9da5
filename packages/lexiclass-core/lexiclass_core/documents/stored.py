"""Which projects have files in the storage, as far as their rows say."""

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lexiclass_core.models import Document, Field, Model, ModelStatus, Project


async def projects_with_files(
    session: AsyncSession | AsyncConnection, *, limit: int = 20
) -> list[int]:
    """Ids of projects that have documents or a model that is ready, the newest first."""
    has_documents = exists().where(Document.project_id == Project.id)
    has_model = exists().where(
        Model.field_id == Field.id,
        Field.project_id == Project.id,
        Model.status == ModelStatus.READY,
        Model.files_removed_at.is_(None),
    )
    found = await session.execute(
        select(Project.id)
        .where(or_(has_documents, has_model))
        .order_by(Project.id.desc())
        .limit(limit)
    )
    return [project_id for (project_id,) in found]
