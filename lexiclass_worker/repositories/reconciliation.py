"""Versions and projects that tasks left behind when they ended without success."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import (
    Field,
    Model,
    ModelStatus,
    Project,
    ProjectIndexStatus,
    ProjectModelStatus,
    Task,
    TaskStatus,
)
from lexiclass_core.schemas import IndexDocuments, TrainFieldModel
from lexiclass_core.tasks.states import is_open
from lexiclass_worker.repositories.model_versions import VersionRow
from lexiclass_worker.repositories.projects import index_status_left

_UNSUCCESSFUL: Final = (TaskStatus.FAILED, TaskStatus.CANCELLED)


async def unfinished_versions(session: AsyncSession) -> list[VersionRow]:
    """Versions in training whose task has ended without them."""
    return _versions(
        await session.execute(
            select(Model.id, Field.project_id, Model.field_id, Model.version)
            .join(Field, Field.id == Model.field_id)
            .join(Task, Task.message_id == Model.message_id)
            .where(Model.status == ModelStatus.TRAINING, Task.status.in_(_UNSUCCESSFUL))
            .order_by(Model.id)
        )
    )


async def fail_versions(session: AsyncSession, versions: Sequence[VersionRow]) -> None:
    """Say that some versions came to nothing, for the reason that their tasks give."""
    failed = (
        update(Model)
        .where(
            Model.id.in_([version.id for version in versions]),
            Model.status == ModelStatus.TRAINING,
            Model.message_id == Task.message_id,
            Task.status.in_(_UNSUCCESSFUL),
        )
        .values(
            status=ModelStatus.FAILED,
            metrics=func.jsonb_build_object("error", Task.error, type_=JSONB),
        )
    )
    await session.execute(failed.execution_options(synchronize_session=False))


async def settle_projects(session: AsyncSession) -> None:
    """Set what projects say of trainings and indexings that have ended without saying so."""
    has_version = (
        select(Model.id)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == Project.id)
    )
    is_ready = has_version.where(Model.status == ModelStatus.READY).exists()
    await session.execute(
        update(Project)
        .where(
            Project.model_status == ProjectModelStatus.TRAINING,
            ~has_version.where(Model.status == ModelStatus.TRAINING).exists(),
            _has_ended(TrainFieldModel.actor_name),
        )
        .values(
            model_status=case((is_ready, ProjectModelStatus.READY), else_=ProjectModelStatus.FAILED)
        )
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(Project)
        .where(
            Project.index_status == ProjectIndexStatus.INDEXING,
            _has_ended(IndexDocuments.actor_name),
        )
        .values(index_status=index_status_left())
        .execution_options(synchronize_session=False)
    )


def _has_ended(actor: str) -> ColumnElement[bool]:
    """The newest task of the project for an actor ended without success, and none is open."""
    of_project = and_(Task.project_id == Project.id, Task.type == actor)
    newest = (
        select(Task.status).where(of_project).order_by(Task.id.desc()).limit(1).scalar_subquery()
    )
    has_open = exists().where(of_project, is_open())
    return and_(newest.in_(_UNSUCCESSFUL), ~has_open)


async def failed_versions(session: AsyncSession, *, older_than_s: float) -> list[VersionRow]:
    """Versions that failed so long ago, and that no task can make ready any more."""
    has_open = exists().where(Task.message_id == Model.message_id, is_open())
    return _versions(
        await session.execute(
            select(Model.id, Field.project_id, Model.field_id, Model.version)
            .join(Field, Field.id == Model.field_id)
            .where(
                Model.status == ModelStatus.FAILED,
                Model.updated_at < func.clock_timestamp() - timedelta(seconds=older_than_s),
                ~has_open,
            )
            .order_by(Model.id)
        )
    )


def _versions(rows: Iterable[Row[tuple[int, int, int, int]]]) -> list[VersionRow]:
    return [VersionRow._make(row) for row in rows]
