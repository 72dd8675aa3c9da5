"""The front door of prediction."""

from lexiclass_core.schemas import PredictFieldDocuments, PredictResult
from lexiclass_worker.actor import actor
from lexiclass_worker.services import prediction
from lexiclass_worker.tasks.context import TaskContext


@actor(PredictFieldDocuments)
async def predict_field_documents(
    task: TaskContext, request: PredictFieldDocuments
) -> PredictResult:
    """Predict a field for some documents, or for all of a project."""
    return await prediction.predict_field_documents(task, request)
