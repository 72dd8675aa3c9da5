"""What was done with versions, with what gates said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import versions
from lexiclass_core.client import VersionEvent
from lexiclass_core.gates import Judgement
from lexiclass_core.models import ModelEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """An event of a version.

    Attributes:
        judgement: What gates said of it; None where none were asked, or that is not understood.
        moved: Which version served before, and which one after; None where the event moved nothing.
    """

    event: VersionEvent
    judgement: Judgement | None
    is_overridden: bool
    moved: tuple[int | None, int | None] | None


def history_entries(events: Iterable[ModelEvent]) -> list[HistoryEntry]:
    """Events as pages show them."""
    return [_entry(VersionEvent.of(event)) for event in events]


def _entry(event: VersionEvent) -> HistoryEntry:
    try:
        judgement = Judgement.model_validate(event.details.get("gates"))
    except ValidationError:
        judgement = None
    before, after = event.details.get("from"), event.details.get("to")
    is_moved = "to" in event.details and all(
        each is None or type(each) is int for each in (before, after)
    )
    return HistoryEntry(
        event=event,
        judgement=judgement,
        is_overridden=event.details.get("is_overridden") is True,
        moved=(before, after) if is_moved else None,
    )


async def gate_names(session: AsyncSession, field_id: int) -> list[str]:
    """The names of the field's gates; none where they are not understood."""
    try:
        return list((await versions.field_config(session, field_id)).gates.names)
    except versions.ChangeRefused:
        return []
