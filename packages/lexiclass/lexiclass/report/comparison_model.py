"""What a comparison of two models says: a part of a report, of a command's answer, of an API's."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from lexiclass.report.parts import Count, DocumentId, Estimate, Part, Share

#: Of accuracies: whether one is better beyond chance.
Verdict: TypeAlias = Literal["better", "worse", "cannot_tell", "same_predictions"]


class ComparedFigure(Part):
    """A figure of both models.

    Attributes:
        first: Of the one that is compared with.
        second: Of the one that is compared.
        difference: The second minus the first.
        p_value: How probable one as large is if both are as good.
    """

    first: Share
    second: Share
    difference: Estimate
    p_value: Share


class ComparedClass(ComparedFigure):
    """F1 of a class; its p-value is Holm's, over all classes.

    Attributes:
        name: Of the class.
        support: Test documents of it.
    """

    name: str
    support: Count


class ModelChanges(Part):
    """How two models were made; of each pair the first is the one that is compared with.

    Attributes:
        parameters: Those that differ, by dotted name.
        library_versions: Of libraries, likewise.
        is_same_model: Whether both are equal by their digests; null if these are not known.
        is_same_training_set: Whether they learned from equal texts and labels; null likewise.
        num_training_documents: How many they learned from.
        num_classes: How many classes they know.
        num_labels_added: Training labels that came after the first was trained and before the
            second was; null where it is not known.
        num_labels_changed: Training labels that were there and have changed between the two.
    """

    parameters: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    library_versions: dict[str, tuple[str | None, str | None]] = Field(default_factory=dict)
    is_same_model: bool | None = None
    is_same_training_set: bool | None = None
    num_training_documents: tuple[Count | None, Count | None] = (None, None)
    num_classes: tuple[Count | None, Count | None] = (None, None)
    num_labels_added: Count | None = None
    num_labels_changed: Count | None = None


class Comparison(Part):
    """A model against another on the same test documents.

    Attributes:
        name: Of the one that it is compared with, for people.
        message: The verdict in a sentence or two.
        verdict: Whether its accuracy is better beyond chance.
        documents_needed: About how many test documents would show a difference in accuracy as large
            as this one, no two of them nearly equal; null if there is none.
        num_documents: Test documents.
        accuracy: Of all documents.
        macro_f1: Of the mean over classes.
        classes: F1 of each class that occurs or is predicted, by name.
        num_changed: Documents that are predicted differently.
        num_fixed: Documents that only this one predicts right.
        num_broken: Documents that only the other predicts right.
        fixed: The first of these, at most 100.
        broken: Likewise.
        changes: How the two were made; null if that is not known.
    """

    name: str
    message: str
    verdict: Verdict
    documents_needed: Count | None
    num_documents: Count
    accuracy: ComparedFigure
    macro_f1: ComparedFigure
    classes: list[ComparedClass]
    num_changed: Count
    num_fixed: Count
    num_broken: Count
    fixed: list[DocumentId] = Field(default_factory=list)
    broken: list[DocumentId] = Field(default_factory=list)
    changes: ModelChanges | None = None
