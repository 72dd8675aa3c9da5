"""Predicting a field of documents."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from lexiclass_core.schemas.base import (
    DocumentRange,
    Ids,
    ModelRequest,
    Probability,
    Result,
    Version,
)
from lexiclass_core.values import Value


class AcceptAt(Value):
    """From where on predictions are accepted: others are to be reviewed by somebody.

    Either by ``accuracy``, a target for which the latest evaluation of the model version certifies
    a confidence, or by a ``confidence`` of the caller's own, of which nothing is certified. A bare
    number is refused, for it could be either.
    """

    accuracy: Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Of the accepted documents, guaranteed by the evaluation; "
        "0.9, 0.95, 0.98 or 0.99",
    )
    confidence: Probability | None = Field(
        default=None, description="The lowest of a document that is accepted"
    )

    @model_validator(mode="before")
    @classmethod
    def _say_which_number_it_is(cls, given: Any) -> Any:
        if isinstance(given, int | float) and not isinstance(given, bool):
            raise ValueError(  # noqa: TRY004 - as Pydantic takes it
                f'a number could be either: give {{"accuracy": {given}}} for a target that an '
                f'evaluation certifies, or {{"confidence": {given}}} for a threshold of your own'
            )
        return given

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if (self.accuracy is None) == (self.confidence is None):
            raise ValueError("give one of accuracy and confidence")
        return self


class PredictResult(Result):
    """How many predictions were made, and for which documents none was.

    ``missing_document_ids`` lists at most 100 of the ``num_missing`` documents that do not exist
    in the project or could not be read. What is predicted for the ``num_empty`` documents without
    any token rests on nothing that they say; see :class:`TrainMetrics`. ``replaced`` counts, by the
    version they were made with, the predictions of other versions that these have replaced.
    Where the request says from where on predictions are accepted, ``num_accepted`` are those of a
    confidence of ``accept_from`` or more, ``num_to_review`` all others. Else these are null.
    """

    field_id: int
    model_version: int
    predictions_created: int
    total_documents: int
    num_missing: int
    missing_document_ids: list[int]
    num_empty: int | None = None
    empty_document_ids: list[int] = Field(default_factory=list)
    replaced: dict[int, int] = Field(default_factory=dict)
    accept_from: float | None = None
    num_accepted: int | None = None
    num_to_review: int | None = None


class PredictFieldDocuments(ModelRequest):
    """Predict a field for some documents, or for all of the project."""

    actor_name: ClassVar[str] = "predict_field_documents"

    document_ids: Ids | None = Field(description="null for every document of the project")
    accept_at: AcceptAt | None = Field(
        default=None, description="null to mark none as accepted or to be reviewed"
    )

    @classmethod
    def result_type(cls) -> type[PredictResult]:
        return PredictResult


class PredictDocumentChunk(ModelRequest):
    """Predict one chunk of the documents of a large prediction, with the version of all chunks."""

    actor_name: ClassVar[str] = "predict_document_chunk"

    model_version: Version
    documents: Ids | DocumentRange
    accept_from: Probability | None = Field(
        default=None, description="The confidence of all chunks; null to mark none"
    )

    @classmethod
    def result_type(cls) -> type[PredictResult]:
        return PredictResult
