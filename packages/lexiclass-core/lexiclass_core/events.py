"""What a task says of itself while it waits and runs, for whoever watches it.

A running task's worker publishes events in Redis, on a channel of the task; the last one is also
kept there for watchers that come later, until it is too old to tell anything. An empty message says
that the task's row has changed. Nothing depends on Redis: the row has the status and, coarser, the
progress.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import Field

from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.statuses import Hindrance
from lexiclass_core.values import Record

LIVE_S: Final = 30
"""Seconds that the last event of a running task is kept in Redis."""


class TaskEvent(Record):
    """A task at one moment.

    ``stage``, ``unit``, ``done`` and ``total`` tell of the work at hand: 1,200 of 5,000 documents.
    A task that is pending in a stage was put off there, until others have ended.
    They are None where there is nothing to count, and all but the stage where only the row is
    known.

    Attributes:
        progress: Of the whole task in percent, 0 to 100; it never falls within an attempt.
        rate: Units a second, over the last half minute.
        eta_s: Seconds until the stage should be done.
        task_eta_s: Seconds until the task should be done; known from its longest stage on.
        queue_position: Tasks of its queue that come before it while it waits: 0 for the next one,
            and never more than 1,000. None if it does not wait, or is not due yet.
        hindrance: Why no worker takes it while it waits: its queue is paused, or no worker that is
            registered listens to it. None if it does not wait, or one may take it.
        attempt: Which attempt this is, or was; 0 before the first.
        next_attempt_at: When a task that failed is tried again, or one that was put off goes on.
        not_before: When a task that waits may run.
        error: Why it failed, or why the last attempt did.
        token: Counts the leases of the task: what is told under an older one is out of date.
    """

    task_id: int
    status: TaskStatus
    progress: Annotated[int, Field(ge=0, le=100)]
    stage: str | None = None
    unit: str | None = None
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    eta_s: float | None = None
    task_eta_s: float | None = None
    queue_position: int | None = None
    queue: str | None = None
    hindrance: Hindrance | None = None
    attempt: int = 0
    max_attempts: int | None = None
    next_attempt_at: datetime | None = None
    not_before: datetime | None = None
    error: TaskError | None = None
    token: int = 0
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(
        cls,
        task: Task,
        *,
        queue_position: int | None = None,
        hindrance: Hindrance | None = None,
    ) -> Self:
        """What a row tells."""
        return cls(
            task_id=task.id,
            status=TaskStatus(task.status),
            progress=task.progress,
            stage=task.stage,
            queue_position=queue_position,
            queue=task.queue,
            hindrance=hindrance,
            attempt=task.attempts,
            max_attempts=task.max_attempts,
            next_attempt_at=task.next_attempt_at,
            not_before=task.not_before,
            error=TaskError.of_row(task.error),
            token=task.lease_token,
        )

    def tells_the_same_as(self, other: "TaskEvent") -> bool:
        """Whether only the time differs."""
        return self == other.model_copy(update={"at": self.at})


def live_key(namespace: str, task_id: int) -> str:
    """The channel of a task's events, and the key of its last one."""
    return f"{namespace}:lexiclass:live:{task_id}"
