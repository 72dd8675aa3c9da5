"""Looking at versions."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, undefer_group

from lexiclass_core.db.values import object_of
from lexiclass_core.models import Field, Model, ModelStatus, ServingRule
from lexiclass_core.versions.errors import VersionNotFound

SelectT = TypeVar("SelectT", bound=Select[Any])


async def require_field(session: AsyncSession, field_id: int) -> Field:
    """The field.

    Raises:
        VersionNotFound: If there is none.
    """
    # PostgreSQL refuses to look for a larger one.
    field = await session.get(Field, field_id) if 0 < field_id < 2**63 else None
    if field is None:
        raise VersionNotFound(f"field {field_id} does not exist")
    return field


async def require_version(session: AsyncSession, field_id: int, version: int) -> Model:
    """A version of a field's model.

    Raises:
        VersionNotFound: If the field or the version does not exist.
    """
    await require_field(session, field_id)
    asked = select(Model).where(Model.field_id == field_id, Model.version == version)
    model = await session.scalar(asked) if 0 < version < 2**31 else None
    if model is None:
        raise VersionNotFound.of(field_id, version)
    return model


async def list_versions(
    session: AsyncSession,
    field_id: int,
    *,
    with_errors: bool = False,
    with_figures: bool = True,
) -> list[Model]:
    """Every version of a field, newest first.

    ``with_errors`` reads ``test_errors`` and what is known of them as well, which may be long.
    Without ``with_figures`` their ``metrics`` and ``manifest``, which are long with many classes,
    are not there.
    """
    await require_field(session, field_id)
    found = select(Model).where(Model.field_id == field_id).order_by(Model.version.desc())
    if with_errors:
        found = found.options(undefer_group("test_errors"))
    if not with_figures:
        found = found.options(defer(Model.metrics), defer(Model.manifest))
    return list(await session.scalars(found))


async def serving_rule(session: AsyncSession, field_id: int) -> ServingRule:
    """What serves a field while no version is promoted."""
    # Not of the row as it was read before: somebody may have changed it before it was locked.
    rule = await session.scalar(select(Field.serve).where(Field.id == field_id))
    if rule is None:
        raise VersionNotFound(f"field {field_id} does not exist")
    return ServingRule(rule)


def serving(versions: Iterable[Model], rule: str = ServingRule.NEWEST) -> Model | None:
    """Of all versions of a field, the one that serves under its rule."""
    serves = [
        model
        for model in versions
        if model.is_usable and (model.promoted_at is not None or rule == ServingRule.NEWEST)
    ]
    return max(serves, key=lambda m: (m.promoted_at is not None, m.version), default=None)


def test_set_digest(model: Model) -> str | None:
    """Digest of what the latest evaluation of a version was made on; None if it is not known."""
    found = object_of(model.metrics.get("test_set")).get("digest")
    return found if isinstance(found, str) else None


async def serving_version(session: AsyncSession, field_id: int) -> Model | None:
    """The version of a field that serves; None if none does, or there is no such field."""
    return await session.scalar(only_serving(select(Model), field_id))


def only_serving(versions: SelectT, field_id: int | ColumnElement[int]) -> SelectT:
    """Of a query of versions, the one that serves a field."""
    return (
        versions.where(
            _MODEL.c.field_id == field_id,
            _MODEL.c.status == ModelStatus.READY,
            _MODEL.c.retired_at.is_(None),
            or_(_MODEL.c.promoted_at.is_not(None), _RULE == ServingRule.NEWEST),
        )
        .order_by(_MODEL.c.promoted_at.is_(None), _MODEL.c.version.desc())
        .limit(1)
    )


_MODEL: Final = Model.metadata.tables[Model.__tablename__]
_RULE_OF: Final = Field.metadata.tables[Field.__tablename__].alias("ruled")
_RULE: Final = select(_RULE_OF.c.serve).where(_RULE_OF.c.id == _MODEL.c.field_id).scalar_subquery()
