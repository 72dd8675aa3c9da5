"""Versions of a field's model side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lexiclass.report.paired import Difference, accuracy_difference, documents_needed
from lexiclass_core.models import Model

MEASURES: Final = (
    "accuracy", "macro_f1", "f1_score", "precision", "recall", "expected_calibration_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDifference:
    """A version against the first one.

    Attributes:
        version: Which one.
        only_first_right: How many documents the first alone predicts right.
        only_this_right: How many this one alone does.
        accuracy: How far its accuracy is above that of the first.
        documents_needed: About how many test documents would show such a difference to be no
            chance; None if there is none.
    """

    version: int
    only_first_right: int
    only_this_right: int
    accuracy: Difference
    documents_needed: int | None


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
    differences: Sequence[VersionDifference]


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


def _differences(models: Sequence[Model]) -> list[VersionDifference]:
    first, *others = models
    test_set = first.metrics["test_set"]
    if any(model.test_errors is None for model in models) or not test_set.get("num_documents"):
        return []
    wrong_of_first = set(first.test_errors or ())
    found = []
    for model in others:
        wrong = set(model.test_errors or ())
        counts = len(wrong - wrong_of_first), len(wrong_of_first - wrong)
        found.append(
            VersionDifference(
                version=model.version,
                only_first_right=counts[0],
                only_this_right=counts[1],
                accuracy=accuracy_difference(*counts, test_set["num_documents"]),
                documents_needed=documents_needed(*counts, test_set["num_documents"]),
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
