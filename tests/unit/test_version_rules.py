"""Rules about versions that need no database."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.models import Model, ModelAction, ModelEvent
from lexiclass_core.versions import serving
from lexiclass_core.versions.events import _standing
from lexiclass_worker.admin.pruning import _verdicts

NOW = datetime.now(UTC)
KINDS = ("ready", "retired", "pruned", "removed", "failed", "training")


@st.composite
def fields(draw: st.DrawFn) -> list[Model]:
    """The versions of a field, newest first; one that is ready may be promoted."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=8))
    ready = [place for place, kind in enumerate(kinds) if kind == "ready"]
    promoted = draw(st.sampled_from([None, *ready]))
    return [
        Model(
            version=len(kinds) - place,
            status="ready" if kind in {"retired", "pruned", "removed"} else kind,
            promoted_at=NOW if place == promoted else None,
            retired_at=NOW if kind in {"retired", "pruned", "removed"} else None,
            pruned_at=NOW if kind in {"pruned", "removed"} else None,
            files_removed_at=NOW if kind == "removed" else None,
        )
        for place, kind in enumerate(kinds)
    ]


@given(
    fields(),
    st.none() | st.integers(0, 9),
    st.dictionaries(st.integers(1, 8), st.just([7]), max_size=3),
)
def test_pruning_never_takes_what_is_in_use(
    versions: list[Model], keep: int | None, needed: dict[int, list[int]]
) -> None:
    verdicts = {verdict.version: verdict for verdict in _verdicts(versions, needed, keep)}
    gone = {version for version, verdict in verdicts.items() if verdict.outcome == "remove"}

    in_use = serving(versions)
    assert in_use is None or in_use.version not in gone
    usable = [model.version for model in versions if model.is_usable]
    assert gone.isdisjoint(usable[: len(usable) if keep is None else keep])
    assert gone.isdisjoint(version for version in usable if version in needed)
    for model in versions:
        assert model.promoted_at is None or model.version not in gone
        assert model.status != "training" or model.version not in gone
        assert (model.files_removed_at is None) == (model.version in verdicts)
        if model.retired_at is not None and model.files_removed_at is None:
            assert model.version in gone
    assert all(verdict.reason for verdict in verdicts.values())


@given(st.lists(st.none() | st.integers(1, 4)))
def test_the_history_says_which_promotions_stand(steps: list[int | None]) -> None:
    """Promote a version, or roll back where the step is None: as a stack would have it."""
    stack: list[int] = []
    events: list[ModelEvent] = []
    for step in steps:
        if step is None and stack:
            undone = stack.pop()
            to = stack[-1] if stack else None
            rolled_back = ModelAction.ROLLED_BACK
            events.append(ModelEvent(version=undone, action=rolled_back, details={"to": to}))
        elif step is not None and stack[-1:] != [step]:
            stack.append(step)
            events.append(ModelEvent(version=step, action=ModelAction.PROMOTED, details={}))

    assert _standing(events) == stack
