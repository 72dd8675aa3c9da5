"""What the settings override of operations."""

from dataclasses import replace
from typing import Any

from lexiclass_core.operations import OPERATIONS, Operation
from lexiclass_core.schemas import PredictDocumentChunk, PredictFieldDocuments, TrainFieldModel
from lexiclass_worker.config import Settings


def configured(operation: Operation, settings: Settings) -> Operation:
    """An operation with what the settings override."""
    overrides = {
        "max_attempts": settings.retries.max_attempts,
        "max_crashes": settings.retries.max_crashes,
        "min_backoff_s": settings.retries.min_backoff_s,
        "full_disk_backoff_s": settings.retries.min_backoff_s,
    }
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    limit_s = settings.limits.time_limit_s
    return replace(
        operation,
        retry=replace(operation.retry, **given),
        time_limit_s=operation.time_limit_s if limit_s is None else limit_s,
    )


def project_limits(settings: Settings) -> dict[str, int]:
    """How many tasks of an operation may run at a time on one project, where there is a limit."""
    limits = {name: each.project_limit for name, each in OPERATIONS.items()} | {
        TrainFieldModel.actor_name: settings.limits.trainings_per_project,
        PredictFieldDocuments.actor_name: settings.limits.predictions_per_project,
        PredictDocumentChunk.actor_name: settings.limits.predictions_per_project,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}
