"""The front door of prediction."""

from lexiclass_core.schemas import PredictFieldDocuments, PredictResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import prediction


@actor(PredictFieldDocuments)
async def predict_field_documents(
    task: TaskContext, request: PredictFieldDocuments
) -> PredictResult:
    """Predict a field for some documents, or for all of a project."""
    return await prediction.predict_field_documents(task, request)
