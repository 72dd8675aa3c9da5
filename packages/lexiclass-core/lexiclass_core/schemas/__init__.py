"""Requests the actors take and results they give, as Pydantic models: a module an operation.

A request's fields are an actor's keyword arguments, a result is what the task row and the result
backend hold as JSON. In a request unknown fields are an error, in both wrong types: a project id of
``"7"`` is a mistake of the sender, not a 7.
"""

from lexiclass_core.schemas.base import (
    MOST_IDS,
    DocumentRange,
    Id,
    Ids,
    Locale,
    ModelRequest,
    Name,
    Parameters,
    Request,
    Result,
    Version,
)
from lexiclass_core.schemas.deletion import (
    DeleteProject,
    DeleteProjectResult,
    EraseDocuments,
    EraseResult,
    ModelVersionRef,
)
from lexiclass_core.schemas.description import (
    DescribeDocument,
    DescribeResult,
    PastPrediction,
    SimilarDocument,
)
from lexiclass_core.schemas.evaluation import (
    CertifiedThreshold,
    ClassMetrics,
    ConfusionMatrix,
    EvaluateFieldModel,
    EvaluateResult,
    EvaluationMetrics,
    TrainingDuplicates,
    UnseenClasses,
)
from lexiclass_core.schemas.indexing import (
    IndexChunkResult,
    IndexDocumentChunk,
    IndexDocuments,
    IndexedEmbeddings,
    IndexResult,
    SkippedDocument,
)
from lexiclass_core.schemas.prediction import (
    AcceptAt,
    PredictDocumentChunk,
    PredictFieldDocuments,
    PredictResult,
)
from lexiclass_core.schemas.task_error import (
    TaskError,
)
from lexiclass_core.schemas.training import (
    LabelSuspects,
    TrainFieldModel,
    TrainMetrics,
    TrainResult,
)

__all__ = [
    "MOST_IDS",
    "AcceptAt",
    "CertifiedThreshold",
    "ClassMetrics",
    "ConfusionMatrix",
    "DeleteProject",
    "DeleteProjectResult",
    "DescribeDocument",
    "DescribeResult",
    "DocumentRange",
    "EraseDocuments",
    "EraseResult",
    "EvaluateFieldModel",
    "EvaluateResult",
    "EvaluationMetrics",
    "Id",
    "Ids",
    "IndexChunkResult",
    "IndexDocumentChunk",
    "IndexDocuments",
    "IndexResult",
    "IndexedEmbeddings",
    "LabelSuspects",
    "Locale",
    "ModelRequest",
    "ModelVersionRef",
    "Name",
    "Parameters",
    "PastPrediction",
    "PredictDocumentChunk",
    "PredictFieldDocuments",
    "PredictResult",
    "Request",
    "Result",
    "SimilarDocument",
    "SkippedDocument",
    "TaskError",
    "TrainFieldModel",
    "TrainMetrics",
    "TrainResult",
    "TrainingDuplicates",
    "UnseenClasses",
    "Version",
]
