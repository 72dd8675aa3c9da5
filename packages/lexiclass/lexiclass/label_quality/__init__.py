"""Training labels that look wrong, found by what a training knows of its own documents.

Confidences of documents that the classifier at hand was not trained on tell which labels it does
not believe: confident learning. Copies of a text with different labels tell without a classifier.
"""

from lexiclass.label_quality.confident_learning import ConfidentJoint, normalized_margins
from lexiclass.label_quality.held_out import HeldOut
from lexiclass.label_quality.suspects import (
    MOST_SUSPECTS,
    Neighbour,
    Reason,
    Suspect,
    SuspectReport,
    find_suspects,
)
from lexiclass.label_quality.training_evidence import TrainingEvidence

__all__ = [
    "MOST_SUSPECTS",
    "ConfidentJoint",
    "HeldOut",
    "Neighbour",
    "Reason",
    "Suspect",
    "SuspectReport",
    "TrainingEvidence",
    "find_suspects",
    "normalized_margins",
]
