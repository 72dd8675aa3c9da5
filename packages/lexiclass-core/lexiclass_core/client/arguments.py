"""What the client's methods take, by name."""

from collections.abc import Sequence
from typing import Any

from lexiclass_core.schemas import AcceptAt
from lexiclass_core.tasks.submission import SubmitOptions


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


class PredictArguments(ModelArguments, total=False):
    """See :class:`~lexiclass_core.schemas.PredictFieldDocuments`."""

    accept_at: AcceptAt | None


class EvaluateArguments(ModelArguments, total=False):
    """See :class:`~lexiclass_core.schemas.EvaluateFieldModel`."""

    slice_by: Sequence[str] | None


class DescribeArguments(SubmitOptions, total=False):
    """See :class:`~lexiclass_core.schemas.DescribeDocument`."""

    limit: int
    tokenizer: str
    locale: str
    tokenizer_params: dict[str, Any]
