"""A report made of what an evaluation knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass.manifest import Manifest
from lexiclass.report.acceptance_figures import acceptance_of
from lexiclass.report.class_figures import Scores, confusions
from lexiclass.report.comparison_model import Comparison
from lexiclass.report.confidence_figures import calibration_of
from lexiclass.report.findings import findings_of
from lexiclass.report.findings.evidence import Evidence
from lexiclass.report.model import (
    Baseline,
    DocumentId,
    EvaluationSet,
    Mistake,
    Report,
    Subject,
)
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.slices import slices_of
from lexiclass.report.verdict import verdict_of

MAX_MISTAKES: Final = 100


def build_report(
    outcomes: Outcomes,
    *,
    model: Subject,
    test_set: EvaluationSet,
    created_at: datetime,
    groups: NDArray[np.integer] | None = None,
    same_text: NDArray[np.integer] | None = None,
    in_training: NDArray[np.bool_] | None = None,
    training_counts: Mapping[str, int] | None = None,
    baselines: Sequence[Baseline] = (),
    comparison: Comparison | None = None,
    columns: Mapping[str, Sequence[str | None]] | None = None,
    lengths: NDArray[np.int64] | None = None,
    texts: Mapping[DocumentId, str] | None = None,
) -> Report:
    """Make a report.

    Its cost depends on documents and on pairs of classes that occur, not on all pairs there are.

    Args:
        outcomes: Predictions of the n test documents.
        model: What was evaluated.
        test_set: On what; ``num_groups`` and ``num_in_training`` are those of what is given below.
        created_at: When.
        groups: (n,) number that near-duplicates have in common; None if that was not looked for.
        same_text: (n,) number that documents of equal text have in common; None likewise.
        in_training: (n,) whether a document is in the training documents, equal or nearly so; None
            likewise.
        training_counts: Training documents of each class; None if unknown.
        baselines: What simpler ways reach.
        comparison: Against another version on the same documents.
        columns: What documents may have in common, such as their script or folder: its name, and n
            values; None for a document without one.
        lengths: (n,) characters of each document; its words count where that is not given.
        texts: Of documents, as far as they may be shown.
    """
    numbers = None
    if groups is not None:
        numbers = np.unique(groups, return_inverse=True)[1]
        test_set = test_set.model_copy(update={"num_groups": int(numbers.max()) + 1})
    if in_training is not None:
        test_set = test_set.model_copy(update={"num_in_training": int(in_training.sum())})
    scores = Scores(outcomes, numbers)
    listed, num_confusions = confusions(scores.confusion)
    calibration = calibration_of(outcomes, scores.accuracy, numbers)
    acceptance = acceptance_of(outcomes, numbers)
    classes = scores.classes()
    slices = slices_of(outcomes, columns=columns or {}, lengths=lengths, groups=numbers)
    findings = findings_of(
        Evidence(
            outcomes=outcomes,
            model=model,
            test_set=test_set,
            accuracy=scores.accuracy,
            classes=classes,
            calibration=calibration,
            baselines=baselines,
            slices=slices,
            in_training=in_training,
            training_counts=training_counts,
            groups=numbers,
            same_text=same_text,
        )
    )
    return Report(
        created_at=created_at,
        verdict=verdict_of(scores.accuracy, test_set, calibration, acceptance, findings),
        model=model,
        test_set=test_set,
        accuracy=scores.accuracy,
        macro_f1=scores.macro_f1,
        classes=classes,
        confusions=listed,
        num_confusions=num_confusions,
        baselines=list(baselines),
        calibration=calibration,
        acceptance=acceptance,
        slices=slices,
        findings=findings,
        mistakes=mistakes_of(outcomes, texts or {}),
        comparison=comparison,
    )


def subject_of(manifest: Manifest, *, name: str, version: int | None = None) -> Subject:
    """Say what is evaluated."""
    return Subject(
        name=name,
        version=version,
        digest=manifest.file_digest,
        spec=manifest.spec.model_dump(mode="json"),
        num_training_documents=manifest.num_documents,
        num_calibration_documents=manifest.num_calibration_documents,
        num_classes=len(manifest.classes),
        trained_at=manifest.created_at,
    )


def mistakes_of(outcomes: Outcomes, texts: Mapping[DocumentId, str]) -> list[Mistake]:
    """Return the wrong documents that the model is surest of, the surest first."""
    wrong = np.flatnonzero(~outcomes.is_right)
    order = wrong[np.argsort(-outcomes.confidence[wrong], kind="stable")][:MAX_MISTAKES]
    return [
        Mistake(
            document=outcomes.documents[row],
            true=outcomes.classes[outcomes.true[row]],
            predicted=outcomes.classes[outcomes.predicted[row]],
            confidence=float(outcomes.confidence[row]),
            text=texts.get(outcomes.documents[row]),
        )
        for row in order.tolist()
    ]
