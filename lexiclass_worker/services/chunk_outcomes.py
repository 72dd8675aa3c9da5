"""What the chunks of a task came to: all of them, or the first that failed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from lexiclass_core.codes import ErrorCode
from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks import chunks
from lexiclass_core.tasks.chunks import Outcome
from lexiclass_worker.errors import ChunksFailed, InternalError
from lexiclass_worker.execution.context import TaskContext

_LISTED_FAILURES: Final = 10

Results = Sequence[dict[str, Any]]
"""The results of chunks that have succeeded, as JSON, in order."""


async def results_of_chunks(
    task: TaskContext, kept: Callable[[Results], tuple[str, dict[str, Any]]]
) -> Results:
    """The results of a task's chunks, in order; all of them are final.

    ``kept`` says what stays of those that have succeeded beside others that failed, in words and as
    details.

    Raises:
        ChunksFailed: If one failed or was cancelled.
        InternalError: If rows of chunks are gone.
    """
    if task.lease is None:
        raise RuntimeError("only a task that has a row can have chunks")
    async with task.sessions() as session:
        outcomes = await chunks.outcomes(session, task.lease.task_id)
    if len(outcomes) != task.num_chunks:
        raise InternalError(
            f"of the {task.num_chunks} chunks of this task, the rows of {len(outcomes)} are left: "
            "somebody has deleted the others; submit the task again"
        )
    failed = [outcome for outcome in outcomes if outcome.status != TaskStatus.SUCCEEDED]
    results = [outcome.result or {} for outcome in outcomes if outcome not in failed]
    if failed:
        first = _error_of(failed[0])
        words, details = kept(results)
        raise ChunksFailed(
            f"{len(failed)} of {len(outcomes)} chunks failed, the first of them (task "
            f"{failed[0].id}) because: {first.message}; {words}",
            first=first,
            details={
                "num_chunks": len(outcomes),
                "num_failed": len(failed),
                "failed_chunks": [_describe(outcome) for outcome in failed[:_LISTED_FAILURES]],
                **details,
            },
        )
    return results


def _describe(outcome: Outcome) -> dict[str, Any]:
    error = _error_of(outcome)
    return {"task_id": outcome.id, "code": error.code, "message": error.message}


def _error_of(outcome: Outcome) -> TaskError:
    """What a chunk ended with, also where another program has written its row."""
    return TaskError.of_row(outcome.error) or TaskError(
        code=ErrorCode.INTERNAL_ERROR, message=f"its row is {outcome.status}, without an error"
    )
