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
from lexiclass.report.confidence_figures import calibration_of
from lexiclass.report.model import (
    Baseline,
    DocumentId,
    EvaluationSet,
    Mistake,
    Report,
    Subject,
)
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.verdict import verdict_of

MAX_MISTAKES: Final = 100


def build_report(
    outcomes: Outcomes,
    *,
    model: Subject,
    test_set: EvaluationSet,
    created_at: datetime,
    groups: NDArray[np.intp] | None = None,
    baselines: Sequence[Baseline] = (),
    texts: Mapping[DocumentId, str] | None = None,
) -> Report:
    """Make a report.

    Its cost depends on documents and on pairs of classes that occur, not on all pairs there are.

    Args:
        outcomes: Predictions of the n test documents.
        model: What was evaluated.
        test_set: On what; its ``num_groups`` is that of ``groups``.
        created_at: When.
        groups: (n,) number of each document's group of near-duplicates, which are none of their
            own; None if that was not looked for.
        baselines: What simpler ways reach.
        texts: Of documents, as far as they may be shown.
    """
    if groups is not None:
        test_set = test_set.model_copy(update={"num_groups": len(np.unique(groups))})
    scores = Scores(outcomes, groups)
    listed, num_confusions = confusions(scores.confusion)
    calibration = calibration_of(outcomes, scores.accuracy, groups)
    acceptance = acceptance_of(outcomes)
    return Report(
        created_at=created_at,
        verdict=verdict_of(scores.accuracy, test_set, calibration, acceptance),
        model=model,
        test_set=test_set,
        accuracy=scores.accuracy,
        macro_f1=scores.macro_f1,
        classes=scores.classes(),
        confusions=listed,
        num_confusions=num_confusions,
        baselines=list(baselines),
        calibration=calibration,
        acceptance=acceptance,
        slices=[],
        findings=[],
        mistakes=mistakes_of(outcomes, texts or {}),
    )


def subject_of(manifest: Manifest, *, name: str, version: int | None = None) -> Subject:
    """Say what is evaluated.

    Args:
        manifest: Of the saved model, as it was read.
        name: For people.
        version: Its number, in a worker.
    """
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
