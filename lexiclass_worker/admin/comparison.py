"""Versions of a field's model side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Any, Final

from lexiclass_core.models import Model

MEASURES: Final = (
    "accuracy", "macro_f1", "f1_score", "precision", "recall", "expected_calibration_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A version against the first one, on the documents that one of the two predicts wrong.

    Attributes:
        version: Which one.
        only_first_right: How many documents the first alone predicts right.
        only_this_right: How many this one alone does.
        p_value: How probable a difference as large is if both are as good: the exact test of
            Q. McNemar, Psychometrika 12 (1947), two-sided.
    """

    version: int
    only_first_right: int
    only_this_right: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What versions have in common, and where they differ.

    Attributes:
        versions: Version numbers; the first is what the others are held against.
        measures: Of their latest evaluations, by name, in the order of the versions; None where
            there is none.
        f1_scores: Of each class, likewise.
        parameters: What they were trained with, likewise, where it differs.
        same_training_set: Whether they were trained on equal texts and labels; None if unknown.
        same_test_set: Whether they were evaluated on the same documents and labels; likewise.
        differences: Of each but the first, if they were evaluated on the same test set.
    """

    versions: Sequence[int]
    measures: Mapping[str, Sequence[float | None]]
    f1_scores: Mapping[str, Sequence[float | None]]
    parameters: Mapping[str, Sequence[Any]]
    same_training_set: bool | None
    same_test_set: bool | None
    differences: Sequence[Difference]


def compare(models: Sequence[Model]) -> Comparison:
    """Hold versions of a field against the first of them; their ``test_errors`` are loaded."""
    evaluations = [model.metrics.get("evaluation") or {} for model in models]
    per_class = [evaluation.get("per_class_metrics", {}) for evaluation in evaluations]
    test_sets = [model.metrics.get("test_set") for model in models]
    same_test_set = _all_equal(test_sets)
    return Comparison(
        versions=[model.version for model in models],
        measures={name: [found.get(name) for found in evaluations] for name in MEASURES},
        f1_scores={
            name: [found.get(name, {}).get("f1_score") for found in per_class]
            for name in sorted({name for found in per_class for name in found})
        },
        parameters=_different([_flat(model.manifest.get("spec", {})) for model in models]),
        same_training_set=_all_equal([model.training_digest for model in models]),
        same_test_set=same_test_set,
        differences=_differences(models) if same_test_set else [],
    )


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """The two-sided p-value of the exact McNemar test.

    Of the documents on which two models differ, each is as likely to be right as the other if both
    are as good: a binomial distribution with probability 1/2.
    """
    total = only_first_right + only_second_right
    fewer = min(only_first_right, only_second_right)
    tail = sum(
        exp(lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1) - total * log(2))
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def _differences(models: Sequence[Model]) -> list[Difference]:
    first, *others = models
    if any(model.test_errors is None for model in models):
        return []
    wrong_of_first = set(first.test_errors or ())
    found = []
    for model in others:
        wrong = set(model.test_errors or ())
        only_first, only_this = len(wrong - wrong_of_first), len(wrong_of_first - wrong)
        found.append(
            Difference(
                version=model.version,
                only_first_right=only_first,
                only_this_right=only_this,
                p_value=mcnemar(only_first, only_this),
            )
        )
    return found


def _all_equal(values: Sequence[object]) -> bool | None:
    if any(value is None for value in values):
        return None
    return all(value == values[0] for value in values)


def _flat(spec: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _different(specs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = sorted({name for spec in specs for name in spec})
    rows = {name: [spec.get(name) for spec in specs] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}
