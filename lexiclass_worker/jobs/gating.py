"""What an evaluation measures for gates and says of the version that serves, beside its figures."""

from dataclasses import dataclass, field
from typing import Any

from lexiclass_worker.jobs.document_refs import DocumentRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersion:
    """What another version predicts of the same test documents.

    Attributes:
        mistakes: By document, what it is taken for, where that is wrong.
        made: How it was made; see :func:`lexiclass.report.comparison.model_changes`.
        own_made: How the one that is evaluated was made.
        num_labels_added: Training labels that came between the two trainings; None if unknown.
        num_labels_changed: Those that were changed between the two; None if unknown.
    """

    version: int
    num_documents: int
    mistakes: dict[int, str]
    made: dict[str, Any]
    own_made: dict[str, Any]
    num_labels_added: int | None = None
    num_labels_changed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInputs:
    """What is to be measured.

    Attributes:
        other: To compare with; None if none was evaluated on the same test documents.
        measures_calibration: Whether confidences are to be judged.
        recent: (r,) documents that were predicted by the other version lately.
        recent_classes: (r,) what they were predicted as.
    """

    other: OtherVersion | None = None
    measures_calibration: bool = False
    recent: list[DocumentRef] = field(default_factory=list)
    recent_classes: list[str] = field(default_factory=list)
