"""What a task looks like at one moment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSnapshot:
    """A task row as plain values. ``progress`` is in percent, 0 to 100."""

    id: int
    message_id: str
    project_id: int | None
    type: str
    status: TaskStatus
    progress: int
    stage: str | None
    request: dict[str, Any]
    result: dict[str, Any] | None
    error: TaskError | None
    attempts: int
    max_attempts: int | None
    next_attempt_at: datetime | None
    correlation_id: str | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, task: Task) -> Self:
        """The snapshot of a row."""
        return cls(
            id=task.id,
            message_id=task.message_id,
            project_id=task.project_id,
            type=task.type,
            status=TaskStatus(task.status),
            progress=task.progress,
            stage=task.stage,
            request=task.request,
            result=task.result,
            error=None if task.error is None else TaskError.model_validate(task.error),
            attempts=task.attempts,
            max_attempts=task.max_attempts,
            next_attempt_at=task.next_attempt_at,
            correlation_id=task.correlation_id,
            queued_at=task.queued_at,
            started_at=task.started_at,
            finished_at=task.finished_at,
        )
