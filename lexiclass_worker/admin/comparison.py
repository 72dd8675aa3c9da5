"""Versions of a field's model side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.report.comparison import compare_counts, dotted, model_changes
from lexiclass.report.comparison_model import Comparison, ModelChanges
from lexiclass.report.paired import Difference, accuracy_difference, documents_needed
from lexiclass_core import versions
from lexiclass_core.models import Model
from lexiclass_worker.admin.mistakes import Mistakes
from lexiclass_worker.repositories.evaluations import how_made
from lexiclass_worker.repositories.labels import LabelChanges, label_changes

MEASURES: Final = (
    "accuracy", "macro_f1", "f1_score", "precision", "recall", "expected_calibration_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDifference:
    """A version against the first one.

    Attributes:
        accuracy: How far its accuracy is above that of the first.
        documents_needed: About how many test documents would show such a difference to be no
            chance; None if there is none.
        comparison: With all figures and documents; None if either was evaluated before it was kept
            what is predicted for wrong documents, or they do not fit together.
    """

    version: int
    only_first_right: int
    only_this_right: int
    accuracy: Difference
    documents_needed: int | None
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
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
        changes: How each but the first was made, against the first.
    """

    versions: Sequence[int]
    measures: Mapping[str, Sequence[float | None]]
    f1_scores: Mapping[str, Sequence[float | None]]
    parameters: Mapping[str, Sequence[Any]]
    same_training_set: bool | None
    same_test_set: bool | None
    differences: Sequence[VersionDifference]
    changes: Sequence[ModelChanges]


async def compare_versions(
    session: AsyncSession, field_id: int, numbers: Sequence[int]
) -> VersionComparison:
    """Hold versions of a field against the first that is named.

    Raises:
        VersionNotFound: If the field or one of them does not exist.
    """
    found = {
        model.version: model
        for model in await versions.list_versions(session, field_id, with_errors=True)
    }
    for number in numbers:
        if number not in found:
            raise versions.VersionNotFound.of(field_id, number)
    first, *others = (found[number] for number in numbers)
    changed = [await label_changes(session, first, other) for other in others]
    return compare([first, *others], changed)


def compare(
    models: Sequence[Model], label_changes: Sequence[LabelChanges | None] = ()
) -> VersionComparison:
    """Hold versions of a field against the first of them; their ``test_errors`` are loaded.

    There are at least two; ``label_changes`` are what became of training labels between the first
    and each other.
    """
    evaluations = [model.metrics.get("evaluation") or {} for model in models]
    per_class = [evaluation.get("per_class_metrics", {}) for evaluation in evaluations]
    test_sets = [model.metrics.get("test_set") for model in models]
    same_test_set = _all_equal(test_sets)
    changed = list(label_changes) or [None] * (len(models) - 1)
    changes = [
        _changes(models[0], model, between)
        for model, between in zip(models[1:], changed, strict=True)
    ]
    return VersionComparison(
        versions=[model.version for model in models],
        measures={name: [found.get(name) for found in evaluations] for name in MEASURES},
        f1_scores={
            name: [found.get(name, {}).get("f1_score") for found in per_class]
            for name in sorted({name for found in per_class for name in found})
        },
        parameters=_different([dotted(model.manifest.get("spec", {})) for model in models]),
        same_training_set=_all_equal([model.training_digest for model in models]),
        same_test_set=same_test_set,
        differences=_differences(models, changes) if same_test_set else [],
        changes=changes,
    )


def _changes(first: Model, second: Model, between: LabelChanges | None) -> ModelChanges:
    changes = model_changes(how_made(first), how_made(second))
    if between is None:
        return changes
    return changes.model_copy(
        update={"num_labels_added": between.added, "num_labels_changed": between.changed}
    )


def _differences(
    models: Sequence[Model], changes: Sequence[ModelChanges]
) -> list[VersionDifference]:
    first, *others = models
    test_set = first.metrics["test_set"]
    if any(model.test_errors is None for model in models) or not test_set.get("num_documents"):
        return []
    of_first = Mistakes.of(first)
    found = []
    for model, change in zip(others, changes, strict=True):
        mistakes = Mistakes.of(model)
        broken, fixed = mistakes.beside(of_first), of_first.beside(mistakes)
        counts = len(broken), len(fixed)
        paired = of_first.paired_with(mistakes)
        found.append(
            VersionDifference(
                version=model.version,
                only_first_right=counts[0],
                only_this_right=counts[1],
                accuracy=accuracy_difference(*counts, test_set["num_documents"]),
                documents_needed=documents_needed(*counts, test_set["num_documents"]),
                comparison=None
                if paired is None
                else compare_counts(
                    paired,
                    fixed=fixed,
                    broken=broken,
                    name=f"version {first.version}",
                    changes=change,
                ),
            )
        )
    return found


def _all_equal(values: Sequence[object]) -> bool | None:
    if any(value is None for value in values):
        return None
    return all(value == values[0] for value in values)


def _different(specs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = sorted({name for spec in specs for name in spec})
    rows = {name: [spec.get(name) for spec in specs] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}
