"""What findings are made of, and what one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.findings.codes import FindingCode
from lexiclass.report.model import (
    Baseline,
    Calibration,
    ClassFigures,
    DocumentId,
    Estimate,
    EvaluationSet,
    Finding,
    Slice,
    Subject,
)
from lexiclass.report.outcomes import Outcomes

MAX_DOCUMENTS: Final = 100
"""Documents that a finding names."""

Level: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evidence:
    """What findings are made of.

    Attributes:
        outcomes: Of the n test documents.
        model: What was evaluated.
        test_set: On what.
        accuracy: Of the test documents.
        classes: Their figures.
        calibration: Of their confidences.
        baselines: What simpler ways reach.
        slices: Kinds of documents.
        in_training: (n,) whether a document is in the training documents; None if unknown.
        training_counts: Training documents of each class; None if unknown.
        groups: (n,) number of each document's group of near-duplicates; None if unknown.
        same_text: (n,) number that documents of equal text have in common; None if unknown.
    """

    outcomes: Outcomes
    model: Subject
    test_set: EvaluationSet
    accuracy: Estimate
    classes: Sequence[ClassFigures]
    calibration: Calibration
    baselines: Sequence[Baseline]
    slices: Sequence[Slice]
    in_training: NDArray[np.bool_] | None
    training_counts: Mapping[str, int] | None
    groups: NDArray[np.intp] | None
    same_text: NDArray[np.integer] | None

    def named_documents(self, rows: NDArray[np.intp]) -> list[DocumentId]:
        """Name the first of some documents."""
        return [self.outcomes.documents[row] for row in rows[:MAX_DOCUMENTS].tolist()]


def finding(
    code: FindingCode,
    level: Level,
    message: str,
    figures: Mapping[str, float | int | str],
    documents: Sequence[DocumentId] = (),
    num_documents: int | None = None,
) -> Finding:
    """Put a finding together, perhaps about documents, of which some are named."""
    return Finding(
        code=code.code,
        level=level,
        title=code.title,
        message=message,
        advice=code.advice,
        figures=dict(figures),
        documents=list(documents),
        num_documents=num_documents,
    )
