"""Promoting a version through the gates of its field."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.gates import ConfigUnreadable, FieldConfig, GateFigures, Judgement, judge
from lexiclass_core.models import Field, Model, ModelAction, ModelEvent
from lexiclass_core.versions.errors import ChangeRefused
from lexiclass_core.versions.events import Author, record
from lexiclass_core.versions.promotion import Change, lock_versions, promote, require_usable
from lexiclass_core.versions.reading import (
    list_versions,
    require_field,
    require_version,
    serving,
    serving_rule,
)


@dataclass(frozen=True, slots=True)
class GatedChange:
    """What a promotion through gates came to.

    Attributes:
        change: What was changed; None if the gates have refused it.
        judgement: What the gates say; None of a version that was promoted already.
    """

    change: Change | None
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What a change of a field's gates came to.

    Attributes:
        config: As it is now.
        is_new: Whether anything was changed; else all was so already.
        before: As it was; None if it could not be read.
    """

    config: FieldConfig
    is_new: bool
    before: FieldConfig | None


async def field_config(session: AsyncSession, field_id: int) -> FieldConfig:
    """The gates of a field.

    Raises:
        ChangeRefused: If its row holds what is not understood.
    """
    await require_field(session, field_id)
    found = await session.scalar(select(Field.config).where(Field.id == field_id))
    try:
        return FieldConfig.of_row(found)
    except ConfigUnreadable as error:
        raise ChangeRefused(
            f"field.config of field {field_id} is not understood, so nothing is promoted through "
            f"its gates: {error}; mend it, or set them anew: lexiclass-worker models gates --clear"
        ) from error


async def set_field_config(
    session: AsyncSession, field_id: int, config: FieldConfig, author: Author
) -> ConfigChange:
    """Say what versions of a field must show before they are promoted."""
    versions = await lock_versions(session, field_id)
    found = await session.scalar(select(Field.config).where(Field.id == field_id))
    try:
        before = FieldConfig.of_row(found)
    except ConfigUnreadable:
        before = None
    if before == config:
        return ConfigChange(config, is_new=False, before=before)
    kept = config.model_dump(mode="json", exclude_defaults=True)
    await session.execute(update(Field).where(Field.id == field_id).values(config=kept))
    # The history is one of versions: a field that has none yet has none.
    witness = serving(versions, await serving_rule(session, field_id)) or next(iter(versions), None)
    if witness is not None:
        record(session, witness, ModelAction.GATES_CHANGED, author, {"from": found, "to": kept})
    return ConfigChange(config, is_new=True, before=before)


def replaced_by(versions: Sequence[Model], rule: str, version: int) -> Model | None:
    """The version that serves, or that would if this one were not there: what it replaces."""
    return serving([model for model in versions if model.version != version], rule)


async def judge_version(session: AsyncSession, field_id: int, version: int) -> Judgement:
    """Hold a version against the gates of its field, by what its latest evaluation measured.

    Raises:
        ChangeRefused: If the field has no gates, or its row holds what is not understood.
    """
    model = await require_version(session, field_id, version)
    config = await field_config(session, field_id)
    if not config.gates.names:
        raise ChangeRefused(
            f"field {field_id} has no gates: set some, lexiclass-worker models gates, or promote "
            "without --gate"
        )
    rule = await serving_rule(session, field_id)
    replaced = replaced_by(await list_versions(session, field_id), rule, version)
    return judge(
        config.gates,
        GateFigures.of_metrics(model.metrics),
        against=None if replaced is None else replaced.version,
    )


async def promote_through_gates(
    session: AsyncSession,
    field_id: int,
    version: int,
    author: Author,
    *,
    override: bool = False,
) -> GatedChange:
    """Let a version serve if the gates of its field let it through. Either is in the history.

    The transaction is to be committed also if they do not. With ``override`` it is promoted
    whatever they say; that needs a reason.

    Raises:
        ChangeRefused: If it is not ready, or retired; if the field has no gates, or they are not
            understood.
        ValueError: If gates are to be overridden without a reason.
    """
    if override and not author.reason.strip():
        raise ValueError("say why the gates are to be overridden")
    await lock_versions(session, field_id)
    model = await require_version(session, field_id, version)
    require_usable(model)
    if model.promoted_at is not None:
        return GatedChange(await promote(session, field_id, version, author), None)
    judgement = await judge_version(session, field_id, version)
    is_overridden = override and not judgement.is_passed
    details = {"gates": judgement.model_dump(mode="json"), "is_overridden": is_overridden}
    if judgement.is_passed or is_overridden:
        change = await promote(session, field_id, version, author, details)
        return GatedChange(change, judgement)
    if await _latest_details(session, model) != details:
        record(session, model, ModelAction.REFUSED, author, details)
    return GatedChange(None, judgement)


async def promotes_itself(session: AsyncSession, field_id: int, version: int) -> bool:
    """Whether an evaluation of a version is to promote it, if the field's gates let it through.

    That is what its field asks for, of versions newer than the one that they replace: an old one
    may be evaluated to compare with it. One that was ever promoted is not promoted again by
    itself: somebody has rolled it back, or promoted another.

    Raises:
        ChangeRefused: If the field's row holds what is not understood.
    """
    config = await field_config(session, field_id)
    model = await require_version(session, field_id, version)
    if not config.promote_after_evaluation or not model.is_usable:
        return False
    rule = await serving_rule(session, field_id)
    replaced = replaced_by(await list_versions(session, field_id), rule, version)
    if replaced is not None and replaced.version > version:
        return False
    promoted = select(ModelEvent.id).where(
        ModelEvent.field_id == field_id,
        ModelEvent.version == version,
        ModelEvent.action == ModelAction.PROMOTED,
    )
    return not await session.scalar(select(promoted.exists()))


async def _latest_details(session: AsyncSession, model: Model) -> object:
    """Those of the latest event of a version, if that is a refusal: it is told once."""
    event = await session.scalar(
        select(ModelEvent)
        .where(ModelEvent.field_id == model.field_id, ModelEvent.version == model.version)
        .order_by(ModelEvent.id.desc())
        .limit(1)
    )
    return event.details if event is not None and event.action == ModelAction.REFUSED else None
