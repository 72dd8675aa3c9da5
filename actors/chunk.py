"""The front door of the chunks of a large prediction."""

from lexiclass_core.schemas import PredictDocumentChunk, PredictResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import prediction


@actor(PredictDocumentChunk)
async def predict_document_chunk(task: TaskContext, request: PredictDocumentChunk) -> PredictResult:
    """Predict one chunk of a large prediction."""
    return await prediction.predict_document_chunk(task, request)
