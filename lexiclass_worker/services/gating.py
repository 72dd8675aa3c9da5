"""What an evaluation does about the gates of its field."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import versions
from lexiclass_core.gates import GateFigures, Gates, Judgement, judge
from lexiclass_core.models import Model
from lexiclass_core.versions import Author, ChangeRefused
from lexiclass_worker.errors import DatabaseUnavailable
from lexiclass_worker.jobs.gating import GateInputs, OtherVersion
from lexiclass_worker.repositories import evaluations, labels, predictions
from lexiclass_worker.repositories.evaluations import how_made

RECENT: Final = 1_000
"""Documents whose predictions are compared with those of the version that serves, the latest."""


_TRIES: Final = 5

T = TypeVar("T")


class ServingChanged(Exception):
    """Another version serves, or the gates are others, than when the outcome was settled."""


@dataclass(frozen=True, slots=True)
class Gating:
    """What an evaluation has to measure for gates.

    Attributes:
        replaced: The version that the evaluated one would replace; None if there is none.
    """

    replaced: Model | None
    inputs: GateInputs

    def figures(self, model: Model, measured: dict[str, Any]) -> GateFigures:
        """What was measured, with what it was measured against."""
        own = model.manifest.get("model_digest")
        other = None if self.replaced is None else self.replaced.manifest.get("model_digest")
        return GateFigures(
            against=None if self.replaced is None else self.replaced.version,
            is_same_model=None if own is None or other is None else own == other,
            **measured,
        )


@dataclass(frozen=True, slots=True)
class GatingOutcome:
    """What becomes of an evaluated version.

    Attributes:
        judgement: What the gates say; None if there are none, or it is promoted already.
        promotes: Whether the evaluation was to promote it, if they let it through.
        problem: Why the field's gates are not understood; None if they are.
    """

    judgement: Judgement | None = None
    promotes: bool = False
    problem: str | None = None

    @property
    def is_promoted(self) -> bool | None:
        """Whether it is; None where that was not asked for."""
        if not self.promotes or self.judgement is None:
            return None
        return self.judgement.is_passed


async def prepare(session: AsyncSession, model: Model, test_digest: str) -> Gating:
    """See what an evaluation has to measure."""
    try:
        gates = (await versions.field_config(session, model.field_id)).gates
    except ChangeRefused:
        # That is said once the evaluation is done: its figures are as good.
        gates = Gates()
    replaced = await _replaced(session, model)
    if replaced is None:
        return Gating(None, GateInputs(measures_calibration=gates.calibrated))
    recent = []
    if gates.max_changed_share is not None:
        recent = await predictions.recent_predictions(
            session, model.field_id, replaced.version, limit=RECENT
        )
    inputs = GateInputs(
        other=await _other(session, model, replaced, test_digest),
        measures_calibration=gates.calibrated,
        recent=[(each.document_id, each.content_path) for each in recent],
        recent_classes=[each.class_name for each in recent],
    )
    return Gating(replaced, inputs)


async def outcome_of(session: AsyncSession, model: Model, figures: GateFigures) -> GatingOutcome:
    """What is to become of a version, before its evaluation is recorded."""
    try:
        config = await versions.field_config(session, model.field_id)
    except ChangeRefused as refused:
        return GatingOutcome(problem=str(refused))
    if not config.gates.names or model.promoted_at is not None:
        return GatingOutcome()
    replaced = await _replaced(session, model)
    against = None if replaced is None else replaced.version
    return GatingOutcome(
        judge(config.gates, figures, against=against),
        promotes=await versions.promotes_itself(session, model.field_id, model.version),
    )


async def settle(
    session: AsyncSession, model: Model, outcome: GatingOutcome, author: Author
) -> None:
    """Promote a version whose evaluation is recorded, or leave it in the history that it was not.

    Raises:
        ServingChanged: If it would be another outcome now.
    """
    if not outcome.promotes or outcome.judgement is None:
        return
    try:
        await versions.lock_versions(session, model.field_id)
        if not await versions.promotes_itself(session, model.field_id, model.version):
            raise ServingChanged
        change = await versions.promote_through_gates(
            session, model.field_id, model.version, author
        )
    except (ChangeRefused, versions.VersionNotFound) as error:
        # The field's gates are gone or not understood any more, or the version is.
        raise ServingChanged from error
    now = change.judgement
    if now is None or (now.against, now.is_passed) != (
        outcome.judgement.against,
        outcome.judgement.is_passed,
    ):
        raise ServingChanged


async def until_settled(commit: Callable[[], Awaitable[T]]) -> T:
    """Commit an evaluation, once more whenever what serves has changed just then.

    Raises:
        DatabaseUnavailable: If it changes every time.
    """
    for _ in range(_TRIES):
        try:
            return await commit()
        except ServingChanged:
            continue
    raise DatabaseUnavailable(
        "the version that serves the field, or its gates, have changed whenever the evaluation was "
        "to be recorded"
    )


async def _replaced(session: AsyncSession, model: Model) -> Model | None:
    found = await versions.list_versions(session, model.field_id)
    rule = await versions.serving_rule(session, model.field_id)
    return versions.replaced_by(found, rule, model.version)


async def _other(
    session: AsyncSession, model: Model, replaced: Model, test_digest: str
) -> OtherVersion | None:
    test_set: Any = replaced.metrics.get("test_set")
    if not isinstance(test_set, dict) or test_set.get("digest") != test_digest:
        return None
    number = test_set.get("num_documents")
    mistakes = await evaluations.latest_mistakes(session, replaced.id)
    if mistakes is None or not isinstance(number, int):
        return None
    changed = await labels.label_changes(session, replaced, model)
    return OtherVersion(
        version=replaced.version,
        num_documents=number,
        mistakes=mistakes,
        made=how_made(replaced),
        own_made=how_made(model),
        num_labels_added=None if changed is None else changed.added,
        num_labels_changed=None if changed is None else changed.changed,
    )
