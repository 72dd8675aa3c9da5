"""Versions that serve because they are the newest, and measure worse than what served before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lexiclass_core.db.values import object_of
from lexiclass_core.models import Model, ServingRule
from lexiclass_core.numbers import is_share
from lexiclass_core.versions.reading import serving, test_set_digest

_MEASURES: Final = {"accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True, slots=True)
class Regression:
    """What is worse about the version that serves.

    Attributes:
        version: It serves because it is the newest.
        replaced: The version before it that was evaluated on the same test set.
        measures: Of each measure that fell, what it was and what it is.
    """

    field_id: int
    version: int
    replaced: int
    measures: dict[str, tuple[float, float]]

    def __str__(self) -> str:
        fallen = ", ".join(
            f"{_MEASURES[name]} {now:.3f} instead of {before:.3f}"
            for name, (before, now) in self.measures.items()
        )
        return (
            f"version {self.version} serves because it is the newest, and measures worse than "
            f"version {self.replaced} on the same test set: {fallen}; to go back: "
            f"lexiclass-worker models promote {self.field_id} {self.replaced}"
        )


def find_regression(versions: Sequence[Model], rule: str = ServingRule.NEWEST) -> Regression | None:
    """What is worse about the version that serves than about the one it has replaced.

    None if it is not, if somebody has promoted it, or if the two were not evaluated on one test
    set. A version before it that was not is passed over.
    """
    now = serving(versions, rule)
    if now is None or now.promoted_at is not None:
        return None
    test_set = test_set_digest(now)
    replaced = max(
        (
            model
            for model in versions
            if model.is_usable
            and model.version < now.version
            and test_set_digest(model) == test_set
        ),
        key=lambda model: model.version,
        default=None,
    )
    if replaced is None or test_set is None:
        return None
    before, after = _measured(replaced), _measured(now)
    fallen = {
        name: (before[name], after[name])
        for name in _MEASURES
        if name in before and name in after and after[name] < before[name]
    }
    if not fallen:
        return None
    return Regression(now.field_id, now.version, replaced.version, fallen)


def _measured(model: Model) -> dict[str, float]:
    measured = object_of(model.metrics.get("evaluation"))
    return {name: measured[name] for name in _MEASURES if is_share(measured.get(name))}
