"""What an evaluation measures for gates, beside the evaluation itself."""

from dataclasses import dataclass, field

from lexiclass_worker.jobs.document_refs import DocumentRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersion:
    """What another version predicts of the same test documents.

    Attributes:
        num_documents: How many of them it has predicted.
        mistakes: By document, what it is taken for, where that is wrong.
    """

    num_documents: int
    mistakes: dict[int, str]


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
