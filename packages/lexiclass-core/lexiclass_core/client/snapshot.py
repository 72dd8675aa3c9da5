"""What a task looks like at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.models.plain import plain
from lexiclass_core.schemas import TaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSnapshot:
    """A task row as plain values. ``progress`` is in percent, 0 to 100.

    ``num_chunks`` is over how many other tasks it was spread, which have its id as ``parent_id``.
    ``lease_owner`` is the worker process that runs it, as ``host:pid:`` and digits; None while
    nobody does. The lease lapses at ``lease_expires_at`` unless that process puts it off.
    """

    id: int
    parent_id: int | None
    num_chunks: int | None
    message_id: str
    project_id: int | None
    type: str
    queue: str | None
    status: TaskStatus
    progress: int
    stage: str | None
    request: dict[str, Any]
    result: dict[str, Any] | None
    error: TaskError | None
    attempts: int
    max_attempts: int | None
    crashes: int
    next_attempt_at: datetime | None
    not_before: datetime | None
    priority: int | None
    cancel_requested_at: datetime | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    idempotency_key: str | None
    correlation_id: str | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, task: Task) -> Self:
        """The snapshot of a row."""
        error = TaskError.of_row(task.error)
        return plain(cls, task, status=TaskStatus(task.status), error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of a list of tasks.

    Attributes:
        tasks: Newest first.
        next_before: ``before`` of the next page; None on the last.
    """

    tasks: Sequence[TaskSnapshot]
    next_before: int | None

    @classmethod
    def of(cls, rows: Sequence[Task], *, limit: int) -> Self:
        """The page that some rows make."""
        return cls(
            tasks=[TaskSnapshot.of(row) for row in rows],
            next_before=rows[-1].id if len(rows) == limit else None,
        )
