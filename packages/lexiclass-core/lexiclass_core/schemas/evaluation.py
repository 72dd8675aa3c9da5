"""Measuring a field's model on its test labels."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from lexiclass_core.gates import Judgement
from lexiclass_core.schemas.base import ModelRequest, Probability, Result
from lexiclass_core.values import Record

SliceKeys = Annotated[
    list[Annotated[str, Field(strict=True, min_length=1, max_length=200)]],
    Field(max_length=10),
]


class ClassMetrics(Record):
    """One class of an evaluation. ``support`` is its number of test documents."""

    precision: float
    recall: float
    f1_score: float
    support: int


class ConfusionMatrix(Record):
    """Counts of test documents: rows are true classes, columns predicted ones.

    Attributes:
        classes: Those that occur or are predicted, sorted.
        matrix: The counts; null with more than 100 classes, where most are 0.
        cells: Of such a one what is not 0, largest first and at most 10,000: numbers of the true
            and of the predicted class in ``classes``, and of documents. Null otherwise.
        num_omitted: Documents in cells beyond these.
    """

    classes: list[str]
    matrix: list[list[int]] | None
    cells: list[tuple[int, int, int]] | None = None
    num_omitted: int = 0

    def count(self) -> dict[tuple[str, str], int]:
        """Documents by true and predicted class, in whichever form they are; none that is 0."""
        cells = self.cells
        if self.matrix is not None:
            cells = [
                (row, column, count)
                for row, counts in enumerate(self.matrix)
                for column, count in enumerate(counts)
                if count
            ]
        return {
            (self.classes[row], self.classes[column]): count for row, column, count in cells or ()
        }


class TrainingDuplicates(Record):
    """Test documents that are the same as training documents of the field, or nearly.

    Attributes:
        threshold: Cosine of TF-IDF weights from which documents count as near-duplicates.
        num_compared: Test documents that were compared: those the project's index holds.
        count: How many of them are like a training document.
        document_ids: At most 100 of these, by id.
        accuracy_without: Accuracy on all other test documents; null if there are none.
        skipped: Why none was compared; null if they were.
    """

    threshold: float
    num_compared: int
    count: int
    document_ids: list[int]
    accuracy_without: float | None
    skipped: str | None = None


class UnseenClasses(Record):
    """True classes of test documents that the model was not trained on, so never predicts.

    ``classes`` lists at most 100 of the ``num_classes``, those with the most documents first.
    """

    num_documents: int
    num_classes: int
    classes: list[str]


class CertifiedThreshold(Record):
    """A confidence from which on an accuracy is guaranteed, in 19 of 20 evaluations.

    Attributes:
        target: The accuracy.
        threshold: The lowest confidence of documents that are accepted; null if none is certified.
        accepted: Share of the test documents that are.
        accuracy: Of these; null if there are none.
        guaranteed: What the accuracy of such documents is at least; null likewise.
        num_documents: How many test documents that rests on.
    """

    target: Probability
    threshold: Probability | None
    accepted: Probability
    accuracy: Probability | None
    guaranteed: Probability | None
    num_documents: Annotated[int, Field(strict=True, ge=0)]

    @model_validator(mode="after")
    def _guarantees_what_it_says(self) -> Self:
        # Rows can be written by others: nothing is accepted by a threshold of which less is known.
        if self.threshold is not None and (
            self.guaranteed is None or self.guaranteed < self.target
        ):
            raise ValueError("a threshold guarantees at least its target")
        return self


class EvaluationMetrics(Record):
    """A model held against test labels.

    ``precision``, ``recall`` and ``f1_score`` weight each class by its support;
    ``expected_calibration_error`` uses 15 equal bins. Evaluations of before near-duplicates were
    looked for have no ``duplicates_in_training``. ``unseen_classes`` is null where there are none.
    ``acceptance`` says how much could go through without a look, one entry a target; it is null in
    evaluations of before that was kept.
    """

    accuracy: float
    precision: float
    recall: float
    f1_score: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    per_class_metrics: dict[str, ClassMetrics]
    confusion_matrix: ConfusionMatrix
    expected_calibration_error: float
    duplicates_in_training: TrainingDuplicates | None = None
    unseen_classes: UnseenClasses | None = None
    acceptance: list[CertifiedThreshold] | None = None


class EvaluateResult(Result):
    """An evaluation. ``num_skipped`` test documents could not be read.

    For ``num_empty`` see :class:`TrainMetrics`. ``report_path`` is the folder of its report, as
    people find it; null in evaluations of before there were any. ``warnings`` say in plain words
    what makes the figures doubtful. ``gates`` is what those of the field say; null if it has none,
    or the version is promoted already. ``is_promoted`` says whether the evaluation has promoted it;
    null where that was not asked for.
    """

    field_id: int
    model_version: int
    num_test_documents: int
    num_skipped: int
    num_empty: int | None = None
    empty_document_ids: list[int] = Field(default_factory=list)
    metrics: EvaluationMetrics
    report_path: str | None = None
    warnings: list[str] = Field(default_factory=list)
    gates: Judgement | None = None
    is_promoted: bool | None = None


class EvaluateFieldModel(ModelRequest):
    """Measure a model on the field's test labels."""

    actor_name: ClassVar[str] = "evaluate_field_model"

    slice_by: SliceKeys | None = Field(
        default=None,
        description="Keys of the documents' metadata by whose values the report divides them; null "
        "for none",
    )

    @classmethod
    def result_type(cls) -> type[EvaluateResult]:
        return EvaluateResult
