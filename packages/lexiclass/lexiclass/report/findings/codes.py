"""What a report can find, by code: the only place where codes, titles and advice are declared.

A code means the same for ever: a new finding takes the next number, and one that is dropped leaves
its number unused. ``docs/REPORTS.md`` has a section for each.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class FindingCode(NamedTuple):
    """A kind of finding."""

    code: str
    title: str
    advice: str


IN_TRAINING: Final = FindingCode(
    "LX001",
    "Test documents are in the training documents",
    "Take them out of one of the two and evaluate again; until then believe the accuracy without "
    "them.",
)
NO_BETTER: Final = FindingCode(
    "LX002",
    "The model is not better than a simple way",
    "Look at the labels and at what the tokenizer makes of the documents before anything is tuned, "
    "or use the simple way.",
)
FEW_DOCUMENTS: Final = FindingCode(
    "LX003",
    "There are too few test documents",
    "Label more documents for testing: four times as many halve the interval.",
)
FEW_OF_A_CLASS: Final = FindingCode(
    "LX004",
    "Classes have too few test documents",
    "Label more documents of these classes for testing; nothing can be said of them now.",
)
MISCALIBRATED: Final = FindingCode(
    "LX005",
    "Confidences do not mean what they say",
    "Train again on documents like those of the test set, with more of each class; do not choose "
    "documents by confidence until then, except by the thresholds of this report.",
)
OTHER_MIX: Final = FindingCode(
    "LX006",
    "Classes are mixed otherwise in the test set than in training",
    "Find out which mix the documents to come have, and label documents for testing as they come, "
    "not class by class.",
)
UNSEEN_CLASS: Final = FindingCode(
    "LX007",
    "The test set has classes that no training document has",
    "Label documents of these classes for training and train again, or merge the classes with "
    "others.",
)
CONTRADICTIONS: Final = FindingCode(
    "LX008",
    "Equal texts have different labels in the test set",
    "Decide which label is right, and write down by which rule; a model can be right on one of "
    "them at most.",
)
SUSPECTED_LABELS: Final = FindingCode(
    "LX009",
    "Labels of the test set look wrong",
    "Have these documents looked at by somebody who does not see the label, and correct what is "
    "wrong.",
)
SKIPPED: Final = FindingCode(
    "LX010",
    "Documents of the test set could not be read",
    "Mend or replace them: the figures are those of the others, which may be easier ones.",
)
FEW_CALIBRATED: Final = FindingCode(
    "LX011",
    "Confidences rest on few documents",
    "Label more training documents; with fewer than a hundred, confidences are rough.",
)
EMPTY: Final = FindingCode(
    "LX012",
    "Test documents hold no word that is read",
    "See whether these are scans without text or in a script that the tokenizer leaves out.",
)
WORSE_SLICE: Final = FindingCode(
    "LX013",
    "Kinds of documents are predicted worse than the others",
    "Label more documents of this kind for training, or have them looked at by people.",
)
NEAR_DUPLICATES: Final = FindingCode(
    "LX014",
    "Test documents are nearly equal to each other",
    "Count on the intervals, which allow for it; label documents that differ for a sharper figure.",
)

CODES: Final = (
    IN_TRAINING,
    NO_BETTER,
    FEW_DOCUMENTS,
    FEW_OF_A_CLASS,
    MISCALIBRATED,
    OTHER_MIX,
    UNSEEN_CLASS,
    CONTRADICTIONS,
    SUSPECTED_LABELS,
    SKIPPED,
    FEW_CALIBRATED,
    EMPTY,
    WORSE_SLICE,
    NEAR_DUPLICATES,
)
"""All of them, by number."""
