"""Model versions."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, Model, ModelStatus
from lexiclass_worker.errors import NoReadyModel, NotFound


async def begin_version(session: AsyncSession, field_id: int, message_id: str) -> Model:
    """The version this message trains: a new one, or its own from an earlier attempt.

    A version that its message has already made ready is returned as it is.
    """
    # Two trainings of one field number their versions one after the other, and two deliveries of
    # one message see the same version.
    await session.execute(select(Field.id).where(Field.id == field_id).with_for_update())
    model = await session.scalar(select(Model).where(Model.message_id == message_id))
    if model is not None:
        if model.status != ModelStatus.READY:
            model.status = ModelStatus.TRAINING
        return model
    newest = await session.scalar(
        select(func.coalesce(func.max(Model.version), 0)).where(Model.field_id == field_id)
    )
    model = Model(
        field_id=field_id,
        version=(newest or 0) + 1,
        status=ModelStatus.TRAINING,
        message_id=message_id,
    )
    session.add(model)
    await session.flush()
    return model


async def complete_version(
    session: AsyncSession, model_id: int, metrics: dict[str, Any]
) -> datetime:
    """Make a version ready. Returns when it was trained."""
    trained_at = datetime.now(UTC)
    await session.execute(
        update(Model)
        .where(Model.id == model_id)
        .values(status=ModelStatus.READY, metrics=metrics, trained_at=trained_at)
    )
    return trained_at


async def fail_version(session: AsyncSession, model_id: int, error: dict[str, Any]) -> bool:
    """Say that a version came to nothing, and why, unless another run has made it ready.

    Returns whether it is failed now.
    """
    failed = await session.scalar(
        update(Model)
        .where(Model.id == model_id, Model.status == ModelStatus.TRAINING)
        .values(status=ModelStatus.FAILED, metrics={"error": error})
        .returning(Model.id)
    )
    return failed is not None


async def require_ready_version(session: AsyncSession, field_id: int, version: int | None) -> Model:
    """The version asked for, or the newest ready one.

    Raises:
        NotFound: If the version asked for does not exist.
        NoReadyModel: If it is not ready, or no version is.
    """
    models = select(Model).where(Model.field_id == field_id)
    if version is None:
        model = await session.scalar(
            models.where(Model.status == ModelStatus.READY).order_by(Model.version.desc()).limit(1)
        )
        if model is None:
            raise NoReadyModel(
                f"field {field_id} has no ready model: train one first",
                details={"field_id": field_id},
            )
        return model
    model = await session.scalar(models.where(Model.version == version))
    details = {"field_id": field_id, "model_version": version}
    if model is None:
        raise NotFound(f"field {field_id} has no model version {version}", details=details)
    if model.status != ModelStatus.READY:
        raise NoReadyModel(
            f"model version {version} of field {field_id} is {model.status}, not ready",
            details={**details, "status": model.status},
        )
    return model


async def has_ready_version(session: AsyncSession, project_id: int) -> bool:
    """Whether any field of a project has a model to use."""
    ready = (
        select(Model.id)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == project_id, Model.status == ModelStatus.READY)
    )
    return bool(await session.scalar(select(ready.exists())))


async def record_evaluation(
    session: AsyncSession, model_id: int, accuracy: float, evaluation: dict[str, Any]
) -> None:
    """Keep an evaluation in ``model.metrics["evaluation"]``, and its accuracy."""
    await session.execute(
        update(Model)
        .where(Model.id == model_id)
        .values(
            accuracy=accuracy,
            metrics=Model.metrics.op("||")(cast({"evaluation": evaluation}, JSONB)),
        )
    )


async def list_versions(session: AsyncSession, field_id: int) -> list[Model]:
    """Every version of a field, newest first."""
    rows = await session.scalars(
        select(Model).where(Model.field_id == field_id).order_by(Model.version.desc())
    )
    return list(rows)
