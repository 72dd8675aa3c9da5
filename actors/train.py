"""The front door of training."""

from lexiclass_core.schemas import TrainFieldModel, TrainResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import training


@actor(TrainFieldModel)
async def train_field_model(task: TaskContext, request: TrainFieldModel) -> TrainResult:
    """Train the next version of a field's model."""
    return await training.train_field_model(task, request)
