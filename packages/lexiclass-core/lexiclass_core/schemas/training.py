"""Training a field's model."""

from typing import ClassVar

from pydantic import Field

from lexiclass_core.schemas.base import Id, Locale, Name, Parameters, Request, Result
from lexiclass_core.values import Record


class LabelSuspects(Record):
    """How many training labels look wrong.

    ``num_held_out`` documents were shown to a classifier that had not seen them: about
    ``num_wrong`` of their labels are wrong, as confident learning estimates. ``num_suspects`` is
    how many look wrong, of these and of those that are like others with another label.
    """

    num_held_out: int
    num_wrong: float
    num_suspects: int


class TrainMetrics(Record):
    """What a model was trained on and how long each stage took, in seconds.

    ``num_empty`` documents have no token for the model to learn from, or no text; it is null where
    that cannot be told, as of embeddings. ``empty_document_ids`` lists at most 100 of them.
    Confidences were fitted on ``num_calibration_documents``, which the scores were not trained on,
    near doubles counted as one; null where the classifier does not say. ``label_suspects`` is null
    where it holds no document out, and of a version that was trained before it was looked for.
    """

    num_documents: int
    num_classes: int
    num_features: int
    num_calibration_documents: int | None = None
    num_skipped: int
    num_empty: int | None = None
    empty_document_ids: list[int] = Field(default_factory=list)
    tokenizer: str
    feature_extractor: str
    classifier: str
    seconds: dict[str, float]
    label_suspects: LabelSuspects | None = None


class TrainResult(Result):
    """The model version a training made.

    Attributes:
        is_serving: Whether it serves now; null where it was trained before this was told.
        replaced_version: The version that served until then; null if none did, or it still does.
        warnings: What makes the model, or its confidences, less than they could be, in plain words.
    """

    field_id: int
    model_id: int
    model_version: int
    is_serving: bool | None = None
    replaced_version: int | None = None
    metrics: TrainMetrics
    warnings: list[str] = Field(default_factory=list)


class TrainFieldModel(Request):
    """Train the next version of a field's model."""

    actor_name: ClassVar[str] = "train_field_model"

    field_id: Id
    tokenizer: Name = "icu"
    feature_extractor: Name = "bow"
    classifier: Name = "svm"
    locale: Locale = "en"
    tokenizer_params: Parameters = Field(default_factory=dict)
    feature_extractor_params: Parameters = Field(default_factory=dict)
    classifier_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> type[TrainResult]:
        return TrainResult
