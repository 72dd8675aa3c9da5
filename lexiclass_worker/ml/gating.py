"""What gates rest on: a model against another on the same documents, and its confidences."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.comparison import compare_predictions, model_changes
from lexiclass.report.comparison_model import ComparedClass, ComparedFigure, Comparison
from lexiclass.report.copies import Groups, first_of_each
from lexiclass.report.intervals import clopper_pearson
from lexiclass.report.reliability import debiased_calibration_error, perfect_band
from lexiclass_worker.jobs.gating import OtherVersion

# A difference as large is that seldom found between models that are as good.
_CHANCE = 0.05


def compared_with(
    other: OtherVersion,
    ids: Sequence[int],
    labels: Sequence[str],
    predicted: Sequence[str],
    groups: Groups | None = None,
) -> Comparison | None:
    """Compare with another version.

    Args:
        other: What it predicts.
        ids: (n,) the test documents that this model has predicted.
        labels: (n,) their true classes.
        predicted: (n,) what this model says.
        groups: (n,) number that near-duplicates have in common; None if that is not known.

    Returns:
        None if the two predicted other documents.
    """
    if len(ids) != other.num_documents or not other.mistakes.keys() <= set(ids):
        return None
    changes = model_changes(other.made, other.own_made).model_copy(
        update={
            "num_labels_added": other.num_labels_added,
            "num_labels_changed": other.num_labels_changed,
        }
    )
    first = [
        other.mistakes.get(document, label) for document, label in zip(ids, labels, strict=True)
    ]
    return compare_predictions(
        labels,
        first,
        predicted,
        documents=ids,
        groups=groups,
        name=f"version {other.version}",
        changes=changes,
    )


def difference_figures(found: Comparison) -> dict[str, Any]:
    """``accuracy``, ``uncertain_class``, ``worse_class`` of a comparison.

    See :class:`lexiclass_core.gates.GateFigures`.
    """
    # Of a class without test documents nothing can be said.
    classes = [each for each in found.classes if each.support]
    worse = [each for each in classes if each.p_value < _CHANCE and each.difference.value < 0]
    uncertain = min(classes, key=lambda each: each.difference.low)
    surely = min(worse, key=lambda each: each.difference.high, default=None)
    return {
        "accuracy": _difference(found.accuracy),
        "uncertain_class": _of_class(uncertain),
        "worse_class": None if surely is None else _of_class(surely),
    }


def calibration_figures(
    confidence: NDArray[np.float64], is_right: NDArray[np.bool_], groups: Groups | None = None
) -> dict[str, Any]:
    """See :class:`lexiclass_core.gates.CalibrationFigures`.

    Of (n,) groups of near-duplicates, if they are known, the first document is judged: the others
    prove nothing that it does not.
    """
    rows = first_of_each(groups, len(confidence))
    confidence, is_right = confidence[rows], is_right[rows]
    band = perfect_band(debiased_calibration_error, confidence)
    return {
        "error": debiased_calibration_error(confidence, is_right),
        "highest": band.high,
        "num_documents": len(confidence),
    }


def changed_figures(pairs: Iterable[tuple[str, str]]) -> dict[str, Any] | None:
    """See :class:`lexiclass_core.gates.ChangedFigures`; None if there are no documents.

    A pair is what the other version predicted of a document and what this one does.
    """
    changed = [before != now for before, now in pairs]
    if not changed:
        return None
    interval = clopper_pearson(sum(changed), len(changed))
    return {
        "num_documents": len(changed),
        "num_changed": sum(changed),
        "low": interval.low,
        "high": interval.high,
    }


def _difference(figure: ComparedFigure) -> dict[str, Any]:
    return figure.difference.model_dump(include={"value", "low", "high"})


def _of_class(each: ComparedClass) -> dict[str, Any]:
    return {**_difference(each), "class_name": each.name, "p_value": each.p_value}
