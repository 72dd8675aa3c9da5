"""The front doors of prediction, and of the chunks of a large one."""

from lexiclass_core.schemas import PredictDocumentChunk, PredictFieldDocuments, PredictResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import prediction


@actor(PredictFieldDocuments)
async def predict_field_documents(
    task: TaskContext, request: PredictFieldDocuments
) -> PredictResult:
    """Predict a field for some documents, or for all of a project."""
    return await prediction.predict_field_documents(task, request)


@actor(PredictDocumentChunk)
async def predict_document_chunk(task: TaskContext, request: PredictDocumentChunk) -> PredictResult:
    """Predict one chunk of a large prediction."""
    return await prediction.predict_document_chunk(task, request)
