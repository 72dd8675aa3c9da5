"""What a model version must show before it is promoted: the gates of its field, and their verdicts.

A gate compares a version with the one that serves, on the same test documents, or holds it against
what it says of itself. Its verdict rests on an interval, not on a point: in between nobody can
tell.
Knows no SQLAlchemy; :mod:`lexiclass_core.versions` promotes.
"""

from lexiclass_core.gates.config import GATES, ConfigUnreadable, FieldConfig, Gates
from lexiclass_core.gates.figures import (
    CalibrationFigures,
    ChangedFigures,
    ClassDifference,
    GateFigures,
    PairedDifference,
)
from lexiclass_core.gates.judging import Judgement, Outcome, Verdict, judge

__all__ = [
    "GATES",
    "CalibrationFigures",
    "ChangedFigures",
    "ClassDifference",
    "ConfigUnreadable",
    "FieldConfig",
    "GateFigures",
    "Gates",
    "Judgement",
    "Outcome",
    "PairedDifference",
    "Verdict",
    "judge",
]
