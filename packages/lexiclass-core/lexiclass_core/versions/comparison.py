"""Two versions of a field's model, held against each other by what their rows say.

What needs the library, intervals of F1 scores, is said by ``lexiclass-worker models compare``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db.values import object_of
from lexiclass_core.models import Model
from lexiclass_core.numbers import is_share
from lexiclass_core.versions.errors import ChangeRefused
from lexiclass_core.versions.paired import AccuracyDifference, accuracy_difference
from lexiclass_core.versions.reading import require_version, test_set_digest

MEASURES: Final = (
    "accuracy", "macro_f1", "f1_score", "precision", "recall", "expected_calibration_error",
)  # fmt: skip
"""Of evaluations, by their names in ``model.metrics["evaluation"]``."""

MOST_DOCUMENTS: Final = 100
"""Documents that a comparison names, of those that are fixed and of those that are broken."""

Pair = tuple[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second version against the first.

    Attributes:
        is_same_model: Whether both are equal by their digests; None if these are not known.
        is_same_training_set: Whether they learned from equal texts and labels; None likewise.
        is_same_test_set: Whether they were evaluated on the same documents and labels; likewise.
        measures: Of their latest evaluations, by name; None where there is none.
        f1_scores: Of each class, likewise.
        parameters: What they were trained with, by dotted name, where it differs.
        library_versions: Likewise.
        difference: None if they were evaluated on different test sets, or before it was kept
            which documents were predicted wrong.
        fixed: Some documents that the second alone predicts right.
        broken: Some that the first alone does.
    """

    first: Model
    second: Model
    is_same_model: bool | None
    is_same_training_set: bool | None
    is_same_test_set: bool | None
    measures: Mapping[str, Pair]
    f1_scores: Mapping[str, Pair]
    parameters: Mapping[str, Pair]
    library_versions: Mapping[str, Pair]
    difference: AccuracyDifference | None
    fixed: Sequence[int]
    broken: Sequence[int]


async def compare_versions(
    session: AsyncSession, field_id: int, first: int, second: int
) -> Comparison:
    """Hold a version against another one of its field.

    Raises:
        ChangeRefused: If both are one version.
    """
    if first == second:
        raise ChangeRefused(f"version {first} is compared with itself: choose another one")
    one = await require_version(session, field_id, first)
    other = await require_version(session, field_id, second)
    errors = [await _errors(session, model) for model in (one, other)]
    evaluations = [object_of(model.metrics.get("evaluation")) for model in (one, other)]
    same_test_set = _is_same(*map(test_set_digest, (one, other)))
    difference, fixed, broken = None, set[int](), set[int]()
    number = object_of(one.metrics.get("test_set")).get("num_documents")
    if same_test_set and type(number) is int and errors[0] is not None and errors[1] is not None:
        fixed, broken = errors[0] - errors[1], errors[1] - errors[0]
        if 0 < number >= len(errors[0] | errors[1]):
            difference = accuracy_difference(len(broken), len(fixed), number)
    return Comparison(
        first=one,
        second=other,
        is_same_model=_is_same(*(model.manifest.get("model_digest") for model in (one, other))),
        is_same_training_set=_is_same(one.training_digest, other.training_digest),
        is_same_test_set=same_test_set,
        measures={name: _pair(evaluations, name) for name in MEASURES},
        f1_scores=_f1_scores(evaluations),
        parameters=_different(one, other, "spec"),
        library_versions=_different(one, other, "library_versions"),
        difference=difference,
        fixed=sorted(fixed)[:MOST_DOCUMENTS] if difference is not None else [],
        broken=sorted(broken)[:MOST_DOCUMENTS] if difference is not None else [],
    )


async def _errors(session: AsyncSession, model: Model) -> set[int] | None:
    """The test documents that the latest evaluation found wrong; None if they were not kept."""
    found = await session.scalar(select(Model.test_errors).where(Model.id == model.id))
    return None if found is None else set(found)


def _is_same(first: Any, second: Any) -> bool | None:
    if not isinstance(first, str) or not isinstance(second, str):
        return None
    return first == second


def _pair(evaluations: Sequence[Mapping[str, Any]], name: str) -> Pair:
    values = [found.get(name) for found in evaluations]
    first, second = (value if is_share(value) else None for value in values)
    return first, second


def _f1_scores(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Pair]:
    classes = [object_of(found.get("per_class_metrics")) for found in evaluations]
    names = sorted({name for found in classes for name in found})
    return {
        name: _pair([object_of(found.get(name)) for found in classes], "f1_score") for name in names
    }


def _different(first: Model, second: Model, name: str) -> dict[str, Pair]:
    before, after = (_dotted(object_of(model.manifest.get(name))) for model in (first, second))
    pairs = {each: (before.get(each), after.get(each)) for each in sorted({*before, *after})}
    return {each: pair for each, pair in pairs.items() if pair[0] != pair[1]}


def _dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= (
            _dotted(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {f"{prefix}{name}": value}
        )
    return flat
