"""Changing which version serves. Every function locks the field until the transaction ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, Model, ModelAction, ModelStatus, ServingRule
from lexiclass_core.versions.errors import ChangeRefused, VersionNotFound
from lexiclass_core.versions.events import Author, record, standing_promotions
from lexiclass_core.versions.needs import listing, tasks_on_what_serves, tasks_that_need
from lexiclass_core.versions.reading import list_versions, require_field, serving, serving_rule


@dataclass(frozen=True, slots=True)
class Change:
    """What a change came to.

    Attributes:
        version: The version it was made to.
        is_new: Whether anything was changed; else all was so already.
        before: The version that served, or None.
        after: The version that serves now, or None.
    """

    version: int
    is_new: bool
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a change of a field's rule came to; see :class:`Change` for the rest."""

    rule: ServingRule
    is_new: bool
    before: int | None
    after: int | None


async def lock_field(session: AsyncSession, field_id: int) -> None:
    """Keep others from promoting versions of a field, and from adding any, until the commit.

    Whoever writes a version's row besides does so after it: two that lock both in another order
    would wait for each other.
    """
    await session.execute(select(Field.id).where(Field.id == field_id).with_for_update())


async def lock_versions(session: AsyncSession, field_id: int) -> list[Model]:
    """Every version of a field, newest first, which nobody else changes or adds to meanwhile."""
    await require_field(session, field_id)
    await lock_field(session, field_id)
    return await list_versions(session, field_id)


async def promote(
    session: AsyncSession,
    field_id: int,
    version: int,
    author: Author,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> Change:
    """Let a version serve, until another is promoted.

    Raises:
        ChangeRefused: If it is not ready, or retired.
    """
    versions = await lock_versions(session, field_id)
    rule = await serving_rule(session, field_id)
    model = _find(versions, field_id, version)
    require_usable(model)
    before = _number(serving(versions, rule))
    promoted = _promoted(versions)
    if promoted is model:
        return Change(version, is_new=False, before=before, after=before)
    await _move_promotion(session, promoted, model)
    moved = {"from": _number(promoted), "to": version}
    record(session, model, ModelAction.PROMOTED, author, {**details, **moved})
    return Change(version, is_new=True, before=before, after=version)


async def roll_back(session: AsyncSession, field_id: int, author: Author) -> Change:
    """Undo the latest promotion: the version that was promoted before it serves again.

    Can be repeated. Versions that were retired since are passed over. Before the first promotion
    none was promoted, and the newest that is ready served, unless the field has promoted ones only.

    Raises:
        ChangeRefused: If no version is promoted, or none but this one could serve.
    """
    versions = await lock_versions(session, field_id)
    rule = await serving_rule(session, field_id)
    promoted = _promoted(versions)
    if promoted is None:
        raise ChangeRefused(
            f"field {field_id} has no promoted version to roll back: promote the one to go back to"
        )
    earlier = await _promoted_before(session, versions, promoted)
    if earlier is None and rule == ServingRule.PROMOTED:
        raise ChangeRefused(
            f"no version of field {field_id} was promoted before version {promoted.version}, and "
            "only a promoted one serves it: promote another, or let the newest serve first"
        )
    if earlier is None and promoted is next(model for model in versions if model.is_usable):
        raise ChangeRefused(
            f"no version of field {field_id} was promoted before version {promoted.version}, which "
            "is also the newest that is ready and would go on serving: promote another or retire it"
        )
    await _demote(session, promoted, earlier, author)
    after = _number(serving(versions, rule))
    return Change(promoted.version, is_new=True, before=promoted.version, after=after)


async def retire(
    session: AsyncSession, field_id: int, version: int, author: Author, *, force: bool = False
) -> Change:
    """Take a version out of use. Its files stay, and :func:`reinstate` brings it back.

    It is forced if it is promoted, which rolls its promotion back, or the only one that can serve,
    which leaves the field without, or if open tasks use it, which may fail then.

    Raises:
        ChangeRefused: If it is not ready, or needs ``force``.
    """
    versions = await lock_versions(session, field_id)
    rule = await serving_rule(session, field_id)
    model = _find(versions, field_id, version)
    before = _number(serving(versions, rule))
    if model.retired_at is not None:
        return Change(version, is_new=False, before=before, after=before)
    require_usable(model)
    if not force:
        _require_dispensable(model, versions)
        await _require_unused(session, model, serves=version == before)
    if model.promoted_at is not None:
        earlier = await _promoted_before(session, versions, model)
        await _demote(session, model, earlier, author)
    model.retired_at = await _now(session)
    record(session, model, ModelAction.RETIRED, author)
    return Change(version, is_new=True, before=before, after=_number(serving(versions, rule)))


async def reinstate(session: AsyncSession, field_id: int, version: int, author: Author) -> Change:
    """Bring a retired version back into use.

    Raises:
        ChangeRefused: If it is not ready, or pruned.
    """
    versions = await lock_versions(session, field_id)
    rule = await serving_rule(session, field_id)
    model = _find(versions, field_id, version)
    before = _number(serving(versions, rule))
    if model.pruned_at is not None or model.status != ModelStatus.READY:
        raise ChangeRefused(_why_unusable(model))
    if model.retired_at is None:
        return Change(version, is_new=False, before=before, after=before)
    model.retired_at = None
    record(session, model, ModelAction.REINSTATED, author)
    return Change(version, is_new=True, before=before, after=_number(serving(versions, rule)))


async def set_serving_rule(
    session: AsyncSession, field_id: int, rule: ServingRule, author: Author, *, force: bool = False
) -> RuleChange:
    """Say what serves a field while no version is promoted: the newest that is ready, or none.

    It is forced if it leaves the field without a version that serves.

    Raises:
        ChangeRefused: If it needs ``force``.
    """
    versions = await lock_versions(session, field_id)
    old = await serving_rule(session, field_id)
    before, after = serving(versions, old), serving(versions, rule)
    if old == rule:
        return RuleChange(rule, is_new=False, before=_number(before), after=_number(after))
    if before is not None and after is None and not force:
        raise ChangeRefused(
            f"version {before.version} serves field {field_id} because it is the newest, and none "
            "is promoted: promote it first, or force it and leave the field without"
        )
    await session.execute(update(Field).where(Field.id == field_id).values(serve=rule))
    # The history is one of versions: a field that has none yet has none.
    if (witness := after or before or next(iter(versions), None)) is not None:
        details = {"from": old, "to": rule}
        record(session, witness, ModelAction.RULE_CHANGED, author, details)
    return RuleChange(rule, is_new=True, before=_number(before), after=_number(after))


async def _move_promotion(session: AsyncSession, old: Model | None, new: Model | None) -> None:
    if old is not None:
        old.promoted_at = None
        # A unique index lets one version be promoted at a time.
        await session.flush()
    if new is not None:
        new.promoted_at = await _now(session)


async def _demote(
    session: AsyncSession, promoted: Model, earlier: Model | None, author: Author
) -> None:
    await _move_promotion(session, promoted, earlier)
    details = {"from": promoted.version, "to": _number(earlier)}
    record(session, promoted, ModelAction.ROLLED_BACK, author, details)


async def _promoted_before(
    session: AsyncSession, versions: Sequence[Model], promoted: Model
) -> Model | None:
    """The version whose promotion stands once that of the promoted one is undone."""
    usable = {model.version: model for model in versions if model.is_usable}
    for version in reversed(await standing_promotions(session, promoted.field_id)):
        if version in usable and version != promoted.version:
            return usable[version]
    return None


def _find(versions: Sequence[Model], field_id: int, version: int) -> Model:
    found = next((model for model in versions if model.version == version), None)
    if found is None:
        raise VersionNotFound.of(field_id, version)
    return found


def _promoted(versions: Sequence[Model]) -> Model | None:
    return next((model for model in versions if model.promoted_at is not None), None)


def require_usable(model: Model) -> None:
    """Refuse a version that is not ready, or retired.

    Raises:
        ChangeRefused: If it is.
    """
    if not model.is_usable:
        raise ChangeRefused(_why_unusable(model))


def _why_unusable(model: Model) -> str:
    what = f"version {model.version} of field {model.field_id}"
    if model.status != ModelStatus.READY:
        return f"{what} is {model.status}, not ready: train one that is"
    if model.pruned_at is not None:
        return f"{what} was pruned on {model.pruned_at:%Y-%m-%d}, its files are gone: train anew"
    return f"{what} was retired on {model.retired_at:%Y-%m-%d}: reinstate it first"


def _require_dispensable(model: Model, versions: Sequence[Model]) -> None:
    what = f"version {model.version} of field {model.field_id}"
    if model.promoted_at is not None:
        raise ChangeRefused(
            f"{what} is promoted: promote another or roll back first, or force it, which rolls back"
        )
    if not any(other.is_usable for other in versions if other is not model):
        raise ChangeRefused(
            f"{what} is the only one that can serve: train another first, or force it and leave "
            "the field without one"
        )


async def _require_unused(session: AsyncSession, model: Model, *, serves: bool) -> None:
    tasks = (await tasks_that_need(session, model.field_id)).get(model.version, [])
    if serves:
        tasks = sorted({*tasks, *await tasks_on_what_serves(session, model.field_id)})
    if tasks:
        raise ChangeRefused(
            f"version {model.version} of field {model.field_id} is used by {listing(tasks)}: wait "
            "for that or cancel it, or force it, and what is not done then fails as NO_READY_MODEL"
        )


def _number(model: Model | None) -> int | None:
    return None if model is None else model.version


async def _now(session: AsyncSession) -> datetime:
    """The database's clock."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now
