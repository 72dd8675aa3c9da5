"""What the client's methods take, by name."""

from datetime import datetime
from typing import Any, TypedDict


class SubmitOptions(TypedDict, total=False):
    """How a task is submitted, whatever it is.

    Attributes:
        correlation_id: Carried to every log line of the task; the message id when not given.
        idempotency_key: Names this submission within its project: another one with the same key
            gives the task of the first.
        delay_s: Seconds to wait before it may run.
        not_before: Moment before which it may not run; needs a time zone.
        priority: Lower runs first within its queue, -1000 to 1000; the actor's own when not given:
            0 for a prediction, 10 for an evaluation, 20 for a training or an indexing.
    """

    correlation_id: str | None
    idempotency_key: str | None
    delay_s: float | None
    not_before: datetime | None
    priority: int | None


class IndexArguments(SubmitOptions, total=False):
    """See :class:`~lexiclass_core.schemas.IndexDocuments`."""

    documents_path: str | None
    is_incremental: bool
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]
    feature_extractor: str | None
    feature_extractor_params: dict[str, Any]


class TrainArguments(SubmitOptions, total=False):
    """See :class:`~lexiclass_core.schemas.TrainFieldModel`."""

    tokenizer: str
    feature_extractor: str
    classifier: str
    locale: str
    tokenizer_params: dict[str, Any]
    feature_extractor_params: dict[str, Any]
    classifier_params: dict[str, Any]


class ModelArguments(SubmitOptions, total=False):
    """See :class:`~lexiclass_core.schemas.ModelRequest`."""

    model_version: int | None
    tokenizer: str | None
    feature_extractor: str | None
    locale: str | None


class Filters(TypedDict, total=False):
    """Which tasks to list; all of them when nothing is said.

    Attributes:
        project_id: Of this project.
        status: In this status.
        type: For this actor.
        parent: Chunks of this task; without it, chunks are listed only if the type asks for them.
        before: Older than the task with this id: :attr:`TaskPage.next_before` of the page before.
        limit: Most tasks of a page.
    """

    project_id: int | None
    status: str | None
    type: str | None
    parent: int | None
    before: int | None
    limit: int
