"""What happened to a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Task, TaskEventKind, TaskHistory
from lexiclass_core.schemas import TaskError

_MOST_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHistoryEntry:
    """Something that happened to a task; see :class:`~lexiclass_core.models.TaskHistory`.

    Attributes:
        at: When; of what happened several times in a row, the last time.
        delay_s: Seconds from then until the next attempt was to begin.
        times: How often it happened in a row.
    """

    at: datetime
    event: TaskEventKind
    attempt: int
    worker: str | None
    error: TaskError | None
    delay_s: float | None
    times: int

    @classmethod
    def of(cls, row: TaskHistory) -> "TaskHistoryEntry":
        """The entry that a row is."""
        delay = None if row.next_attempt_at is None else row.next_attempt_at - row.created_at
        return cls(
            at=row.created_at,
            event=TaskEventKind(row.event),
            attempt=row.attempt,
            worker=row.worker,
            error=TaskError.of_row(row.error),
            delay_s=None if delay is None else max(0.0, delay.total_seconds()),
            times=row.times,
        )


async def history(session: AsyncSession, task: Task) -> Sequence[TaskHistoryEntry]:
    """What happened to a task, oldest first; of more than 1,000 events, the last of them."""
    newest = (
        select(TaskHistory)
        .where(TaskHistory.task_id == task.id)
        .order_by(TaskHistory.id.desc())
        .limit(_MOST_EVENTS)
    )
    rows = await session.scalars(newest)
    return [TaskHistoryEntry.of(row) for row in reversed(list(rows))]
