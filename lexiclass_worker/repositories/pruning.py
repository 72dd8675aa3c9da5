"""Versions whose files go: which, and since when nobody can be reading them any more.

A version goes in steps, each its own transaction, so that one that was interrupted is finished by
whoever looks next:

1. It is retired, or has failed: from now on no task begins to use it.
2. ``pruned_at`` is set, by :func:`lexiclass_core.versions.mark_pruned`. A task that uses it has
   been started before that.
3. Once every such task has ended its files are removed, and ``files_removed_at`` is set.
"""

from sqlalchemy import ColumnElement, Text, and_, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, Model, Task, TaskStatus
from lexiclass_core.versions.needs import asks
from lexiclass_worker.repositories.model_versions import VersionRow


async def with_files(session: AsyncSession, field_id: int | None = None) -> list[VersionRow]:
    """Pruned versions, of a field or of all, whose files are still to be removed."""
    pruned = (
        select(Model.id, Field.project_id, Model.field_id, Model.version)
        .join(Field, Field.id == Model.field_id)
        .where(_has_files())
        .order_by(Model.id)
    )
    if field_id is not None:
        pruned = pruned.where(Model.field_id == field_id)
    return [VersionRow._make(row) for row in await session.execute(pruned)]


async def claim(session: AsyncSession, model_id: int) -> bool:
    """Keep others from a pruned version until the transaction ends.

    Returns whether its files are still there, and nobody else is removing them.
    """
    claimed = await session.scalar(
        select(Model.id).where(Model.id == model_id, _has_files()).with_for_update(skip_locked=True)
    )
    return claimed is not None


async def readers(session: AsyncSession, model_id: int) -> list[int]:
    """The tasks that run since before a version was pruned, and may be reading its files."""
    return list(
        await session.scalars(
            select(Task.id)
            .join(Model, _may_use())
            .where(
                Model.id == model_id,
                Task.status == TaskStatus.STARTED,
                Task.started_at <= Model.pruned_at,
            )
            .order_by(Task.id)
        )
    )


async def mark_removed(session: AsyncSession, model_id: int) -> None:
    """Say that the files of a pruned version are gone."""
    await session.execute(
        update(Model).where(Model.id == model_id).values(files_removed_at=func.clock_timestamp())
    )


def _has_files() -> ColumnElement[bool]:
    return and_(Model.pruned_at.is_not(None), Model.files_removed_at.is_(None))


def _may_use() -> ColumnElement[bool]:
    """Whether a task named the version, or none: then it may have been the one that served."""
    return and_(
        asks("field_id") == cast(Model.field_id, Text),
        func.coalesce(asks("model_version"), cast(Model.version, Text))
        == cast(Model.version, Text),
        Task.message_id.is_distinct_from(Model.message_id),
    )
