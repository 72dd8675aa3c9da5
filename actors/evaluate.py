"""The front door of evaluation."""

from lexiclass_core.schemas import EvaluateFieldModel, EvaluateResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import evaluation


@actor(EvaluateFieldModel)
async def evaluate_field_model(task: TaskContext, request: EvaluateFieldModel) -> EvaluateResult:
    """Measure a model on its field's test labels."""
    return await evaluation.evaluate_field_model(task, request)
