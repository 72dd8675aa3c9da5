"""Versions of models, what was done with them and which one serves, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from lexiclass_core.models import Model, ModelAction, ModelEvent, ModelStatus, ServingRule
from lexiclass_core.models.plain import plain
from lexiclass_core.versions import Regression


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version of a field's model.

    Attributes:
        is_serving: Whether it is used where no version is named.
        training_digest: SHA-256 of its training set; None of one that was trained before these
            were kept.
    """

    id: int
    field_id: int
    version: int
    status: ModelStatus
    is_serving: bool
    accuracy: float | None
    metrics: dict[str, Any]
    training_digest: str | None
    trained_at: datetime | None
    promoted_at: datetime | None
    retired_at: datetime | None
    pruned_at: datetime | None

    @classmethod
    def of(cls, model: Model, *, is_serving: bool) -> Self:
        """The plain values of a row."""
        return plain(cls, model, status=ModelStatus(model.status), is_serving=is_serving)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEvent:
    """What was done with a version. ``details`` of a promotion or a roll-back: ``from``, ``to``."""

    at: datetime
    version: int
    action: ModelAction
    by: str
    reason: str
    training_digest: str | None
    details: dict[str, Any]

    @classmethod
    def of(cls, event: ModelEvent) -> Self:
        """The plain values of a row."""
        return plain(
            cls, event, at=event.created_at, action=ModelAction(event.action), by=event.done_by
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Which version of a field serves.

    Attributes:
        rule: What serves while no version is promoted: the newest that is ready, or none.
        version: It serves; None if none does.
        regression: What is worse about it than about the version it has replaced by itself.
    """

    rule: ServingRule
    version: int | None
    regression: Regression | None
