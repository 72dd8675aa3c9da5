"""How a run of a task can end other than with a result of its own."""

from datetime import UTC, datetime
from typing import Any, Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.schemas import TaskError

# A message whose task runs elsewhere: until the lease lapses, but soon enough to find it done.
LOOK_AGAIN_S: Final = 1.0
_LONGEST_WAIT_S: Final = 5.0
# A message that came too early, by the clock of whoever took it; others may see another time.
LONGEST_DELAY_S: Final = 60.0
# One whose chunks are open: the last of them sends for it, so this is for when that got lost.
LOOK_FOR_CHUNKS_S: Final = 10.0


class TaskFailed(Exception):
    """The task failed for good: its row says so, its message becomes a dead letter.

    Its text is the error as JSON, which is what the result backend keeps of an exception.
    """

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.model_dump_json())
        self.error = error


class MessageRefused(TaskFailed):
    """A message that is not run and has no task: it becomes a dead letter, and no result is kept.

    That of another message with its id must not be replaced.
    """


class RetryLater(Exception):
    """The task is to be tried again."""

    def __init__(self, error: TaskError, *, delay_s: float) -> None:
        super().__init__(error.model_dump_json())
        self.error = error
        self.delay_s = delay_s


class Snooze(Exception):
    """The task is not run now, and no attempt counted: its message is looked at again.

    It is not due, its queue is paused, its project is full, it waits for others to end, or another
    worker holds it: then the message comes back to see what became of it, for the other may die.
    """

    def __init__(self, reason: str, *, delay_s: float) -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class FanOut(Exception):
    """The task waits for its chunks now: nothing is left to do in this attempt."""

    def __init__(self, task_id: int, num_chunks: int) -> None:
        super().__init__(f"task {task_id} waits for its {num_chunks} chunks")
        self.task_id = task_id


def stored_outcome(task: Task) -> dict[str, Any]:
    """The result of a task that has succeeded.

    Raises:
        TaskFailed: If it failed or was cancelled.
        Snooze: If it is not final.
    """
    if task.status == TaskStatus.SUCCEEDED:
        return task.result or {}
    if not TaskStatus(task.status).is_final:
        if task.num_chunks is not None and task.lease_owner is None:
            raise Snooze(
                f"task {task.id} waits for its {task.num_chunks} chunks", delay_s=LOOK_FOR_CHUNKS_S
            )
        lapses_in_s = 0.0
        if task.lease_expires_at is not None:
            lapses_in_s = (task.lease_expires_at - datetime.now(UTC)).total_seconds()
        raise Snooze(
            f"task {task.id} is {task.status} under the lease of {task.lease_owner}",
            # Whatever the clocks of two machines say.
            delay_s=min(max(lapses_in_s, LOOK_AGAIN_S), _LONGEST_WAIT_S),
        )
    error = TaskError.of_row(task.error)
    raise TaskFailed(error or TaskError(code=ErrorCode.CANCELLED, message="the task was cancelled"))
