"""Who did what with a version, when and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Model, ModelAction, ModelEvent
from lexiclass_core.numbers import require_limit
from lexiclass_core.storable import is_storable
from lexiclass_core.versions.reading import require_field, require_version


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and why.

    Raises:
        ValueError: If nobody is named, or PostgreSQL cannot hold one of the texts.
    """

    name: str
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("nobody is named as the author of the change")
        if not is_storable([self.name, self.reason]):
            raise ValueError(
                "the author or the reason holds what PostgreSQL has no place for: a NUL character "
                "or a lone surrogate"
            )


def record(
    session: AsyncSession,
    model: Model,
    action: ModelAction,
    author: Author,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Add an event to the history of a version."""
    session.add(
        ModelEvent(
            field_id=model.field_id,
            version=model.version,
            action=action,
            done_by=author.name,
            reason=author.reason,
            training_digest=model.training_digest,
            details=dict(details),
        )
    )


async def history(
    session: AsyncSession, field_id: int, *, version: int | None = None, limit: int = 50
) -> list[ModelEvent]:
    """What was done with a field's versions, or with one of them, latest first.

    Raises:
        ValueError: If the limit is none.
    """
    require_limit(limit)
    events = select(ModelEvent).where(ModelEvent.field_id == field_id)
    if version is None:
        await require_field(session, field_id)
    else:
        await require_version(session, field_id, version)
        events = events.where(ModelEvent.version == version)
    return list(await session.scalars(events.order_by(ModelEvent.id.desc()).limit(limit)))


async def standing_promotions(session: AsyncSession, field_id: int) -> list[int]:
    """The versions of a field that were promoted and not rolled back since, oldest first."""
    events = await session.scalars(
        select(ModelEvent)
        .where(
            ModelEvent.field_id == field_id,
            ModelEvent.action.in_((ModelAction.PROMOTED, ModelAction.ROLLED_BACK)),
        )
        .order_by(ModelEvent.id)
    )
    return _standing(events)


def _standing(events: Iterable[ModelEvent]) -> list[int]:
    standing: list[int] = []
    for event in events:
        if event.action == ModelAction.PROMOTED:
            standing.append(event.version)
            continue
        # A roll-back may pass over versions that were retired.
        while standing and standing[-1] != event.details.get("to"):
            standing.pop()
    return standing
