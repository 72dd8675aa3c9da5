"""Looking up what files tell of a document."""

from typing import Annotated, ClassVar

from pydantic import Field

from lexiclass_core.schemas.base import Id, Locale, Name, Parameters, Request, Result
from lexiclass_core.values import Record


class SimilarDocument(Record):
    """A document that is like another. ``similarity`` is a cosine of TF-IDF weights, in (0, 1]."""

    document_id: int
    similarity: float


class PastPrediction(Record):
    """What a version has said of a document at some time.

    Attributes:
        message_id: Of the task that predicted it.
        predicted_at: When that began, in ISO 8601; null if its row is gone.
        confidence: Of the class, a calibrated probability.
        scores: Probabilities of the likeliest classes, 10 at most.
        is_accepted: Whether it was accepted; null where its task did not ask.
        known_words: Words of the document that the version knew; null where it did not say.
        familiarity: How like the documents of training it was; likewise.
        unfamiliar: Whether it was taken for unlike them; likewise.
    """

    document_id: int
    field_id: int
    model_version: int
    message_id: str
    predicted_at: str | None = None
    predicted_class: str
    confidence: float
    scores: dict[str, float]
    is_accepted: bool | None = None
    known_words: int | None = None
    familiarity: float | None = None
    unfamiliar: bool | None = None


class DescribeResult(Result):
    """What files tell of a document.

    Attributes:
        similar: The documents that are most like it, the best first.
        why_none: Why none was looked for; null if they were.
        predictions: What versions have said of it, the newest version of a field first; 100 at
            most.
        num_left_out: Versions whose histories were not read, as they are too many or too large.
    """

    document_id: int
    similar: list[SimilarDocument]
    why_none: str | None = None
    predictions: list[PastPrediction]
    num_left_out: int = 0


class DescribeDocument(Request):
    """Find out what only files tell of a document: what is like it, and what was said of it."""

    actor_name: ClassVar[str] = "describe_document"

    document_id: Id
    limit: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        default=10, description="Most similar documents"
    )
    tokenizer: Name = Field(default="icu", description="Of the index in which they are looked for")
    locale: Locale = "en"
    tokenizer_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> type[DescribeResult]:
        return DescribeResult
