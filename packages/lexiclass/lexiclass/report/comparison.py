"""Two models held against each other, as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.report.comparison_model import (
    ComparedClass,
    ComparedFigure,
    Comparison,
    ModelChanges,
    Verdict,
)
from lexiclass.report.copies import Groups
from lexiclass.report.intervals import LEVEL
from lexiclass.report.paired import Difference, compare, different_documents_needed
from lexiclass.report.paired_confusion import PairedConfusion
from lexiclass.report.parts import DocumentId, Estimate

MAX_DOCUMENTS: Final = 100
"""Documents that a comparison names, of those that are fixed and of those that are broken."""

# Of test documents that are asked for where some are copies of others.
_OF_COPIES: Final = " different"


def compare_predictions(
    labels: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    *,
    documents: Sequence[DocumentId] = (),
    groups: Groups | None = None,
    name: str = "the other model",
    changes: ModelChanges | None = None,
    seed: int = 0,
) -> Comparison:
    """Hold a model against another, the first, by what both predict of the same n documents.

    Args:
        labels: The n true labels.
        first: What the first predicts.
        second: What the one that is compared predicts.
        documents: The n documents, to be named; they need not be given.
        groups: (n,) number that near-duplicates have in common; None if all differ. Figures are of
            all documents; intervals and p-values take a group for one.
        name: Of the first, for people.
        changes: How the two were made.
        seed: Of the permutations.

    Raises:
        NoDocuments: If there are none.
        InvalidParameters: If there are not as many of each.
    """
    if (
        not len(labels) == len(first) == len(second)
        or len(documents) not in {0, len(labels)}
        or (groups is not None and len(groups) != len(labels))
    ):
        raise InvalidParameters(
            f"Found {len(labels)} true labels, {len(first)} and {len(second)} predictions and "
            f"{len(documents)} documents; give one each, and one group each if any."
        )
    if not labels:
        raise NoDocuments("There is no test document to compare on; label some for testing.")
    rows = list(zip(documents, labels, first, second, strict=True)) if documents else []
    return compare_counts(
        PairedConfusion.of(labels, first, second, groups=groups),
        fixed=(row for row, true, one, two in rows if one != true == two),
        broken=(row for row, true, one, two in rows if one == true != two),
        name=name,
        changes=changes,
        seed=seed,
    )


def compare_counts(
    paired: PairedConfusion,
    *,
    fixed: Iterable[DocumentId] = (),
    broken: Iterable[DocumentId] = (),
    name: str = "the other model",
    changes: ModelChanges | None = None,
    seed: int = 0,
) -> Comparison:
    """The same of documents that are counted already.

    Args:
        paired: What both predict.
        fixed: Documents that the second alone predicts right, as far as they are known.
        broken: Documents that the first alone does.
        name: Of the first, for people.
        changes: How the two were made.
        seed: Of the permutations.
    """
    found = compare(paired, seed=seed)
    needed = different_documents_needed(paired)
    verdict = _verdict(paired, found.accuracy)
    f1_of_first, f1_of_second = paired.f1_of(paired.first), paired.f1_of(paired.second)
    return Comparison(
        name=name,
        message=_message(
            verdict,
            found.accuracy,
            None if needed is None else f"{needed:,}{_OF_COPIES * (paired.clusters is not None)}",
            name,
            changes,
        ),
        verdict=verdict,
        documents_needed=needed,
        num_documents=paired.num_documents,
        accuracy=_figure(
            paired.accuracy_of(paired.first), paired.accuracy_of(paired.second), found.accuracy
        ),
        macro_f1=_figure(float(f1_of_first.mean()), float(f1_of_second.mean()), found.macro_f1),
        classes=[
            ComparedClass(
                name=each,
                support=int(support),
                **_figure(one, two, difference).model_dump(),
            )
            for each, support, one, two, difference in zip(
                paired.classes,
                paired.support.tolist(),
                f1_of_first.tolist(),
                f1_of_second.tolist(),
                found.f1_scores,
                strict=True,
            )
        ],
        num_changed=paired.num_changed,
        num_fixed=paired.only_second_right,
        num_broken=paired.only_first_right,
        fixed=list(islice(fixed, MAX_DOCUMENTS)),
        broken=list(islice(broken, MAX_DOCUMENTS)),
        changes=changes,
    )


def model_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> ModelChanges:
    """Say how two models were made differently.

    Args:
        first: What is known of the one that is compared with: ``spec``, ``library_versions``,
            ``model_digest``, ``training_digest``, ``num_documents``, ``num_classes``, each or none.
        second: Of the one that is compared.
    """
    return ModelChanges(
        parameters=_different(dotted(first.get("spec")), dotted(second.get("spec"))),
        library_versions=_different(
            first.get("library_versions") or {}, second.get("library_versions") or {}
        ),
        is_same_model=_is_same(first, second, "model_digest"),
        is_same_training_set=_is_same(first, second, "training_digest"),
        num_training_documents=(first.get("num_documents"), second.get("num_documents")),
        num_classes=(first.get("num_classes"), second.get("num_classes")),
    )


def _verdict(paired: PairedConfusion, accuracy: Difference) -> Verdict:
    if np.array_equal(paired.first, paired.second):
        return "same_predictions"
    if accuracy.p_value >= 1 - LEVEL:
        return "cannot_tell"
    return "better" if accuracy.value > 0 else "worse"


def _message(
    verdict: Verdict,
    accuracy: Difference,
    needed: str | None,
    name: str,
    changes: ModelChanges | None,
) -> str:
    if changes is not None and changes.is_same_model:
        return f"by its digest this is the same model as {name}, trained again"
    low, high = (_points(end) for end in accuracy.interval)
    points = f"{_points(accuracy.value)} points ({low} to {high} on all such documents)"
    match verdict:
        case "same_predictions":
            return f"it predicts every test document as {name} does"
        case "cannot_tell" if needed is None:
            return f"as accurate as {name} on these documents: {points}"
        case "cannot_tell":
            return (
                f"cannot tell whether it is better than {name}: accuracy {points}; about "
                f"{needed} test documents would show such a difference"
            )
        case _:
            return f"{verdict} than {name} beyond chance: accuracy {points}"


def _figure(first: float, second: float, difference: Difference) -> ComparedFigure:
    low, high = difference.interval
    return ComparedFigure(
        first=min(1.0, first),
        second=min(1.0, second),
        difference=Estimate(value=difference.value, low=low, high=high),
        p_value=min(1.0, difference.p_value),
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any], name: str) -> bool | None:
    values = first.get(name), second.get(name)
    return None if None in values else values[0] == values[1]


def dotted(spec: Mapping[str, Any] | None, prefix: str = "") -> dict[str, Any]:
    """Return parameters by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in (spec or {}).items():
        if isinstance(value, dict):
            flat |= dotted(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _different(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted({*first, *second})
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
