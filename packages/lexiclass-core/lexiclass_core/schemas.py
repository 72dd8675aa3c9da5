"""Requests the actors take and results they give, as Pydantic models.

A request's fields are an actor's keyword arguments, a result is what the task row and the result
backend hold as JSON. In a request unknown fields are an error, in both wrong types: a project id of
``"7"`` is a mistake of the sender, not a 7.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from lexiclass_core.codes import ErrorCode
from lexiclass_core.gates import Judgement
from lexiclass_core.storable import Excerpt

MOST_IDS: Final = 1_000_000
"""Documents that one request can name; with null it is all of the project, however many."""

# A PostgreSQL bigint that an identity column can hold.
Id = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
# Of many that are wrong, the first is told.
Ids = Annotated[list[Id], Field(max_length=MOST_IDS, fail_fast=True)]
# A model version is a PostgreSQL integer.
Version = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Locale = Annotated[
    str, Field(strict=True, pattern=r"^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*$", max_length=64)
]
SliceKeys = Annotated[
    list[Annotated[str, Field(strict=True, min_length=1, max_length=200)]],
    Field(max_length=10),
]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Parameters = dict[str, Any]


class Request(BaseModel):
    """Base of every request: strict, closed, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor_name: ClassVar[str]
    project_id: Id

    @classmethod
    def result_type(cls) -> "type[Result]":
        """The schema of what comes of it."""
        raise NotImplementedError


class IndexDocuments(Request):
    """Index a project's documents under one tokenizer configuration."""

    actor_name: ClassVar[str] = "index_documents"

    documents_path: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="Folder of {document_id}.txt files inside the project's storage; "
        "null for {project_id}/documents",
    )
    is_incremental: Annotated[bool, Field(strict=True)] = True
    tokenizer: Name = "icu"
    locale: Locale = "en"
    tokenizer_params: Parameters = Field(default_factory=dict)
    feature_extractor: Name | None = Field(
        default=None,
        description="Also index what this one makes of every document; one that learns nothing, "
        "such as sbert",
    )
    feature_extractor_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> "type[IndexResult]":
        """See :meth:`Request.result_type`."""
        return IndexResult


class DocumentRange(BaseModel):
    """The documents of a project with ids from ``first`` to ``last``, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Id
    last: Id


class IndexDocumentChunk(Request):
    """Read one chunk of the documents of a large indexing, and write the shards of the index."""

    actor_name: ClassVar[str] = "index_document_chunk"

    build: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="Names the build that all chunks of a task make shards for"
    )
    index: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$")] = Field(
        description="Name of the index, which all chunks of a task have"
    )
    shards: Annotated[
        list[Ids | DocumentRange], Field(min_length=1, max_length=10_000, fail_fast=True)
    ] = Field(description="The documents of each shard")
    documents_path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    tokenizer: Name
    locale: Locale
    tokenizer_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> "type[IndexChunkResult]":
        """See :meth:`Request.result_type`."""
        return IndexChunkResult


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
    def result_type(cls) -> "type[TrainResult]":
        """See :meth:`Request.result_type`."""
        return TrainResult


class ModelRequest(Request):
    """Base of the requests that use a trained model.

    ``tokenizer``, ``feature_extractor`` and ``locale`` need not be given: a model carries its own
    pipeline. One that is given and differs from the model's is an error, never a silent mismatch.
    """

    field_id: Id
    model_version: Version | None = Field(
        default=None, description="null for the one that serves: promoted, else the newest ready"
    )
    tokenizer: Name | None = None
    feature_extractor: Name | None = None
    locale: Locale | None = None


class AcceptAt(BaseModel):
    """From where on predictions are accepted: others are to be reviewed by somebody.

    Either by ``accuracy``, a target for which the latest evaluation of the model version certifies
    a confidence, or by a ``confidence`` of the caller's own, of which nothing is certified. A bare
    number is refused, for it could be either.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    def _is_one_of_the_two(self) -> "AcceptAt":
        if (self.accuracy is None) == (self.confidence is None):
            raise ValueError("give one of accuracy and confidence")
        return self


class PredictFieldDocuments(ModelRequest):
    """Predict a field for some documents, or for all of the project."""

    actor_name: ClassVar[str] = "predict_field_documents"

    document_ids: Ids | None = Field(description="null for every document of the project")
    accept_at: AcceptAt | None = Field(
        default=None, description="null to mark none as accepted or to be reviewed"
    )

    @classmethod
    def result_type(cls) -> "type[PredictResult]":
        """See :meth:`Request.result_type`."""
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
    def result_type(cls) -> "type[PredictResult]":
        """See :meth:`Request.result_type`."""
        return PredictResult


class EvaluateFieldModel(ModelRequest):
    """Measure a model on the field's test labels."""

    actor_name: ClassVar[str] = "evaluate_field_model"

    slice_by: SliceKeys | None = Field(
        default=None,
        description="Keys of the documents' metadata by whose values the report divides them; null "
        "for none",
    )

    @classmethod
    def result_type(cls) -> "type[EvaluateResult]":
        """See :meth:`Request.result_type`."""
        return EvaluateResult


class EraseDocuments(Request):
    """Delete documents and what is known of them: rows, texts, indexes, histories."""

    actor_name: ClassVar[str] = "erase_documents"

    document_ids: Annotated[Ids, Field(min_length=1)]
    remove_models: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Also retire and remove the model versions that may hold words of them, even "
        "if a field is left without one",
    )

    @classmethod
    def result_type(cls) -> "type[EraseResult]":
        """See :meth:`Request.result_type`."""
        return EraseResult


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
    def result_type(cls) -> "type[DescribeResult]":
        """See :meth:`Request.result_type`."""
        return DescribeResult


class DeleteProject(Request):
    """Delete a project with all it has: rows, tasks, files."""

    actor_name: ClassVar[str] = "delete_project"

    @classmethod
    def result_type(cls) -> "type[DeleteProjectResult]":
        """See :meth:`Request.result_type`."""
        return DeleteProjectResult


# A worker of a later version may say more, to whoever reads it with this one.
_RESULT = ConfigDict(extra="ignore", frozen=True)


class Result(BaseModel):
    """Base of every result."""

    model_config = _RESULT

    status: Literal["completed"] = "completed"
    project_id: int


class SkippedDocument(BaseModel):
    """A document that an operation left out, and why."""

    model_config = _RESULT

    document_id: int
    reason: str


class IndexedEmbeddings(BaseModel):
    """What indexing embeddings did.

    Attributes:
        feature_extractor: What computed them.
        index_path: Where they are.
        num_documents: Documents in the index now.
        embedded: Contents that were embedded; those of all other documents were there.
        removed: Documents that are no longer in it.
        dimension: Length of an embedding.
    """

    model_config = _RESULT

    feature_extractor: str
    index_path: str
    num_documents: int
    embedded: int
    removed: int
    dimension: int


class IndexResult(Result):
    """What indexing did. ``num_documents`` are in the index; the counts add up to it.

    ``skipped`` lists at most 100 of the ``num_skipped`` documents that could not be read.
    ``embeddings`` is null unless the request names a feature extractor.
    """

    index_path: str
    is_incremental: bool
    num_documents: int
    added: int
    changed: int
    removed: int
    unchanged: int
    num_skipped: int
    skipped: list[SkippedDocument]
    embeddings: IndexedEmbeddings | None = None


class IndexChunkResult(Result):
    """What one chunk of a large indexing came to.

    ``num_unreadable`` of the ``num_documents`` could not be read; the others are in ``num_shards``.
    """

    num_documents: int
    num_unreadable: int
    num_shards: int


class LabelSuspects(BaseModel):
    """How many training labels look wrong.

    ``num_held_out`` documents were shown to a classifier that had not seen them: about
    ``num_wrong`` of their labels are wrong, as confident learning estimates. ``num_suspects`` is
    how many look wrong, of these and of those that are like others with another label.
    """

    model_config = _RESULT

    num_held_out: int
    num_wrong: float
    num_suspects: int


class TrainMetrics(BaseModel):
    """What a model was trained on and how long each stage took, in seconds.

    ``num_empty`` documents have no token for the model to learn from, or no text; it is null where
    that cannot be told, as of embeddings. ``empty_document_ids`` lists at most 100 of them.
    Confidences were fitted on ``num_calibration_documents``, which the scores were not trained on;
    null where the classifier does not say. ``label_suspects`` is null where it holds no document
    out, and of a version that was trained before it was looked for.
    """

    model_config = _RESULT

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


class ClassMetrics(BaseModel):
    """One class of an evaluation. ``support`` is its number of test documents."""

    model_config = _RESULT

    precision: float
    recall: float
    f1_score: float
    support: int


class ConfusionMatrix(BaseModel):
    """Counts of test documents: rows are true classes, columns predicted ones.

    Attributes:
        classes: Those that occur or are predicted, sorted.
        matrix: The counts; null with more than 100 classes, where most are 0.
        cells: Of such a one what is not 0, largest first and at most 10,000: numbers of the true
            and of the predicted class in ``classes``, and of documents. Null otherwise.
        num_omitted: Documents in cells beyond these.
    """

    model_config = _RESULT

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


class TrainingDuplicates(BaseModel):
    """Test documents that are the same as training documents of the field, or nearly.

    Attributes:
        threshold: Cosine of TF-IDF weights from which documents count as near-duplicates.
        num_compared: Test documents that were compared: those the project's index holds.
        count: How many of them are like a training document.
        document_ids: At most 100 of these, by id.
        accuracy_without: Accuracy on all other test documents; null if there are none.
        skipped: Why none was compared; null if they were.
    """

    model_config = _RESULT

    threshold: float
    num_compared: int
    count: int
    document_ids: list[int]
    accuracy_without: float | None
    skipped: str | None = None


class UnseenClasses(BaseModel):
    """True classes of test documents that the model was not trained on, so never predicts.

    ``classes`` lists at most 100 of the ``num_classes``, those with the most documents first.
    """

    model_config = _RESULT

    num_documents: int
    num_classes: int
    classes: list[str]


class CertifiedThreshold(BaseModel):
    """A confidence from which on an accuracy is guaranteed, in 19 of 20 evaluations.

    Attributes:
        target: The accuracy.
        threshold: The lowest confidence of documents that are accepted; null if none is certified.
        accepted: Share of the test documents that are.
        accuracy: Of these; null if there are none.
        guaranteed: What the accuracy of such documents is at least; null likewise.
        num_documents: How many test documents that rests on.
    """

    model_config = _RESULT

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


class EvaluationMetrics(BaseModel):
    """A model held against test labels.

    ``precision``, ``recall`` and ``f1_score`` weight each class by its support;
    ``expected_calibration_error`` uses 15 equal bins. Evaluations of before near-duplicates were
    looked for have no ``duplicates_in_training``. ``unseen_classes`` is null where there are none.
    ``acceptance`` says how much could go through without a look, one entry a target; it is null in
    evaluations of before that was kept.
    """

    model_config = _RESULT

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


class ModelVersionRef(BaseModel):
    """A version of a field's model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field_id: int
    version: int


class EraseResult(Result):
    """What an erasure removed.

    Attributes:
        num_documents: Documents whose rows were deleted, also by an attempt before; others were
            none of the project's, or were erased before.
        num_indexes: Indexes that hold nothing of them now.
        num_predictions: Lines that were taken out of histories of predictions.
        model_versions: Versions trained since the first of these documents came, whose files may
            hold words of them.
        models_removed: Whether these versions were retired and their files removed.
    """

    num_documents: int
    num_indexes: int
    num_predictions: int
    model_versions: list[ModelVersionRef]
    models_removed: bool


class SimilarDocument(BaseModel):
    """A document that is like another. ``similarity`` is a cosine of TF-IDF weights, in (0, 1]."""

    model_config = _RESULT

    document_id: int
    similarity: float


class PastPrediction(BaseModel):
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

    model_config = _RESULT

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


class DeleteProjectResult(Result):
    """What the deletion of a project removed.

    Attributes:
        num_documents: Documents whose rows were deleted, by the last attempt.
        num_tasks: Task rows that were deleted; that of the deletion itself stays.
    """

    num_documents: int
    num_tasks: int


def _message(text: str) -> str:
    return Excerpt(characters=_LONGEST_MESSAGE, longest=_LONGEST_MESSAGE).text(text)


def _details(details: dict[str, Any]) -> dict[str, Any]:
    excerpt = Excerpt(characters=_LARGEST_DETAILS, longest=_LONGEST_MESSAGE)
    cut: dict[str, Any] = excerpt.value(details)
    return {**cut, "is_cut": True} if excerpt.is_cut else cut


# Whatever was sent may be quoted in an error, and a million times.
_LONGEST_MESSAGE: Final = 4_000
_LARGEST_DETAILS: Final = 20_000


class TaskError(BaseModel):
    """Why a task failed: ``task.error``, and the text of the result backend's exception.

    Every error is bounded and clean, whatever it quotes: a message has at most 4,000 characters,
    details some 20,000, with ``is_cut`` where something was left out, and no text has control
    characters. ``retryable`` says whether sending the same request again can help.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, AfterValidator(_message)]
    message: Annotated[str, AfterValidator(_message)]
    details: Annotated[dict[str, Any], AfterValidator(_details)] = Field(default_factory=dict)
    retryable: bool = False

    @classmethod
    def of_row(cls, error: object) -> "TaskError | None":
        """What ``task.error`` holds, also where another program has written it in its own way."""
        if error is None:
            return None
        try:
            return cls.model_validate(error)
        except ValidationError:
            found = error if isinstance(error, dict) else {}
            code, message = found.get("code"), found.get("message")
            return cls(
                code=code if isinstance(code, str) else ErrorCode.INTERNAL_ERROR,
                message=message if isinstance(message, str) else "another program's: see details",
                details={"found": error},
            )
