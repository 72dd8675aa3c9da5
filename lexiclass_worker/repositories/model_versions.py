"""Model versions."""

from collections.abc import Set
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import versions
from lexiclass_core.models import (
    Field,
    FieldClass,
    Model,
    ModelAction,
    ModelStatus,
    ServingRule,
)
from lexiclass_core.schemas import CertifiedThreshold
from lexiclass_worker.errors import InvalidRequest, NoReadyModel, NotFound
from lexiclass_worker.repositories.indexes import KeptIndexes, kept_columns, kept_in


async def begin_version(session: AsyncSession, field_id: int, message_id: str) -> Model:
    """The version this message trains: a new one, or its own from an earlier attempt.

    A version that its message has already made ready is returned as it is.

    Raises:
        InvalidRequest: If a version of another field has the message's id.
    """
    # Two trainings of one field number their versions one after the other, and two deliveries of
    # one message see the same version.
    await session.execute(select(Field.id).where(Field.id == field_id).with_for_update())
    model = await session.scalar(select(Model).where(Model.message_id == message_id))
    if model is None:
        return await _add_version(session, field_id, message_id)
    if model.field_id != field_id:
        raise InvalidRequest(
            f"a model version of another field than {field_id} was trained by a message of the id "
            f"{message_id!r}: send each training as a message with an id of its own"
        )
    if model.status != ModelStatus.READY:
        model.status = ModelStatus.TRAINING
        model.pruned_at = model.files_removed_at = None
    return model


async def _add_version(session: AsyncSession, field_id: int, message_id: str) -> Model:
    newest = select(func.coalesce(func.max(Model.version), 0)).where(Model.field_id == field_id)
    while True:
        number = (await session.execute(newest)).scalar_one() + 1
        model: Model | None = await session.scalar(
            insert(Model)
            .values(field_id=field_id, version=number, message_id=message_id)
            .on_conflict_do_nothing(index_elements=[Model.field_id, Model.version])
            .returning(Model)
        )
        if model is not None:
            return model
        # Another program has inserted this number, which locks no field: take the next.


async def complete_version(
    session: AsyncSession, model_id: int, metrics: dict[str, Any], manifest: dict[str, Any]
) -> datetime:
    """Make a version ready, and begin its history. Returns when it was trained.

    The manifest is what its files, which are verified and in their place, say of themselves.
    """
    trained_at = datetime.now(UTC)
    model = (
        await session.scalars(
            update(Model)
            .where(Model.id == model_id)
            .values(
                status=ModelStatus.READY, metrics=metrics, manifest=manifest, trained_at=trained_at
            )
            .returning(Model)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
    ).one()
    versions.record(
        session, model, ModelAction.TRAINED, versions.Author(f"message {model.message_id}")
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


class Serving(NamedTuple):
    """What a prediction has to know of a field: its classes, the version that serves it.

    By ``manifest_digest`` the files of the version are known; None where it was not kept. So is
    ``signature``, that of the digest. ``indexes`` are those of the project.
    """

    field_id: int
    version: int
    class_ids: Set[int]
    manifest_digest: str | None
    signature: str | None
    indexes: KeptIndexes


async def find_serving(session: AsyncSession, project_id: int, field_id: int) -> Serving | None:
    """All of it in one statement; None if anything of it is not there, for others to say what."""
    found = await session.execute(_SERVING, {"project": project_id, "field": field_id})
    row = found.one_or_none()
    if row is None:
        return None
    version, class_ids, digest, signature, *indexes = row
    return Serving(
        field_id, version, frozenset(class_ids or ()), digest, signature, kept_in(indexes)
    )


async def require_ready_version(session: AsyncSession, field_id: int, version: int | None) -> Model:
    """The version asked for, or the one that serves: promoted, else the newest that is ready.

    Raises:
        NotFound: If the version asked for does not exist.
        NoReadyModel: If it is not ready or out of use, or no version serves.
    """
    details: dict[str, Any] = {"field_id": field_id}
    if version is None:
        model = await versions.serving_version(session, field_id)
        if model is None:
            raise NoReadyModel(await _why_none_serves(session, field_id), details=details)
        return model
    details["model_version"] = version
    model = await session.scalar(
        select(Model).where(Model.field_id == field_id, Model.version == version)
    )
    if model is None:
        raise NotFound(str(versions.VersionNotFound.of(field_id, version)), details=details)
    if not model.is_usable:
        raise NoReadyModel(
            f"model version {version} of field {field_id} {_why_unusable(model)}",
            details={**details, "status": model.status},
        )
    return model


async def _why_none_serves(session: AsyncSession, field_id: int) -> str:
    usable = [
        model.version
        for model in await versions.list_versions(session, field_id)
        if model.is_usable
    ]
    rule = await versions.serving_rule(session, field_id)
    if usable and rule == ServingRule.PROMOTED:
        ready = ", ".join(map(str, sorted(usable)[-_NAMED:]))
        return (
            f"only a promoted version serves field {field_id}, and none is promoted: promote one "
            f"(ready are {ready}), or name a version"
        )
    return (
        f"field {field_id} has no ready model: train one first, or reinstate one that was retired"
    )


def _why_unusable(model: Model) -> str:
    if model.status != ModelStatus.READY:
        return f"is {model.status}, not ready"
    if model.pruned_at is not None:
        return (
            f"was pruned on {model.pruned_at:%Y-%m-%d} and its files removed: name another, or none"
        )
    return f"was retired on {model.retired_at:%Y-%m-%d}: name another, or none, or reinstate it"


async def certified_thresholds(
    session: AsyncSession, field_id: int, version: int
) -> list[CertifiedThreshold] | None:
    """From which confidences on a version's latest evaluation certifies which accuracies.

    Returns None if it was not evaluated, or before that was kept.
    """
    found = await session.scalar(
        select(Model.metrics["evaluation"]["acceptance"]).where(
            Model.field_id == field_id, Model.version == version
        )
    )
    return versions.certified_thresholds(found)


async def serving_after(session: AsyncSession, model: Model) -> tuple[bool, int | None]:
    """Whether a version that is about to be ready will serve, and which one serves until then."""
    found = await versions.list_versions(session, model.field_id)
    rule = await versions.serving_rule(session, model.field_id)
    before = versions.serving(found, rule)
    session.expunge_all()
    for version in found:
        if version.id == model.id:
            version.status = ModelStatus.READY
    after = versions.serving(found, rule)
    will_serve = after is not None and after.version == model.version
    return will_serve, before.version if before is not None and before is not after else None


async def has_ready_version(session: AsyncSession, project_id: int) -> bool:
    """Whether any field of a project has a model to use."""
    ready = (
        select(Model.id)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == project_id, Model.status == ModelStatus.READY)
    )
    return bool(await session.scalar(select(ready.exists())))


# Versions that a message names.
_NAMED: Final = 5

# Made once, of tables: it is all that most predictions ask about their model.
_MODEL, _FIELD, _CLASS = (
    entity.metadata.tables[entity.__tablename__] for entity in (Model, Field, FieldClass)
)
_CLASS_IDS: Final = select(func.array_agg(_CLASS.c.id)).where(_CLASS.c.field_id == _FIELD.c.id)
_SERVING: Final = versions.only_serving(
    select(
        _MODEL.c.version,
        _CLASS_IDS.scalar_subquery(),
        _MODEL.c.manifest["manifest_digest"].astext,
        _MODEL.c.manifest["signature"].astext,
        *kept_columns(_FIELD.c.project_id),
    )
    .join_from(_MODEL, _FIELD, _FIELD.c.id == _MODEL.c.field_id)
    .where(_FIELD.c.project_id == bindparam("project")),
    bindparam("field"),
)


class VersionRow(NamedTuple):
    """A version, with whose it is."""

    id: int
    project_id: int
    field_id: int
    version: int


class VersionOfField(NamedTuple):
    """A version of a field's model."""

    field_id: int
    version: int


async def versions_of_project(
    session: AsyncSession, project_id: int, *, limit: int
) -> list[VersionOfField]:
    """The versions of all fields of a project: of each field the newest first."""
    rows = await session.execute(
        select(Model.field_id, Model.version)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == project_id)
        .order_by(Model.field_id, Model.version.desc())
        .limit(limit)
    )
    return [VersionOfField(*row) for row in rows]
