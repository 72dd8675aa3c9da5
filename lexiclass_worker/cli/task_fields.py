"""What is known of a task, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from uuid import UUID

import typer

from lexiclass_worker.cli.output import print_fields

if TYPE_CHECKING:
    from lexiclass_core.client import TaskSnapshot

TaskName = Annotated[
    str, typer.Argument(metavar="TASK", help="Number of the task, or the id of its message.")
]
T = TypeVar("T")

# What is told first; the rest comes after it.
_FIRST: Final = (
    "id", "type", "status", "stage", "progress", "error", "project_id", "queue", "hindrance",
    "worker", "lease_expires_at", "attempts", "crashes", "next_attempt_at", "queued_at",
    "started_at", "finished_at", "duration_s",
)  # fmt: skip


def named(name: str, work: Callable[[int | str], T]) -> T:
    """Do something with a task that somebody named: by its number, else by its message.

    Raises:
        BadParameter: If no task has this name, and it looks like neither.
        TaskNotFound: If no task has this name.
    """
    from lexiclass_core.client import TaskNotFound
    from lexiclass_core.numbers import number_of

    number = number_of(name)
    if number is not None:
        try:
            return work(number)
        except TaskNotFound:
            pass
    try:
        return work(name)
    except TaskNotFound as error:
        if number is not None:
            raise TaskNotFound(number) from error
        if _is_message_id(name):
            raise
        raise typer.BadParameter(
            f"{name!r} is neither the number of a task nor the id of its message"
        ) from error


def fields_of(task: TaskSnapshot) -> dict[str, Any]:
    """A task as JSON has it."""
    return {
        **asdict(task),
        "error": task.error and task.error.model_dump(),
        "worker": worker_of(task.lease_owner),
        "duration_s": _duration_s(task),
    }


def worker_of(lease_owner: str | None) -> dict[str, Any] | None:
    """The process that holds a lease."""
    if lease_owner is None:
        return None
    host, _, rest = lease_owner.partition(":")
    pid = rest.partition(":")[0]
    return {"host": host, "pid": int(pid) if pid.isdigit() else None}


def print_task(fields: dict[str, Any]) -> None:
    """Print what is known of a task; of an evaluation, the figures as it printed them."""
    from lexiclass_core.schemas import EvaluateFieldModel, EvaluateResult
    from lexiclass_worker.cli.results import print_result

    is_evaluated = fields["type"] == EvaluateFieldModel.actor_name and fields["result"] is not None
    if is_evaluated:
        result = EvaluateResult.model_validate(fields.pop("result"))
    ordered = {name: fields[name] for name in _FIRST if name in fields} | fields
    told = {name: value for name, value in ordered.items() if value is not None}
    told["progress"] = f"{fields['progress']} %"
    if fields["max_attempts"] is not None:
        told["attempts"] = f"{fields['attempts']} of {told.pop('max_attempts')}"
    if not fields["crashes"]:
        del told["crashes"]
    if fields["worker"] is not None:
        told["worker"] = f"process {fields['worker']['pid']} on {fields['worker']['host']}"
        del told["lease_owner"]
    print_fields(told)
    if is_evaluated:
        print_result(result)


def _duration_s(task: TaskSnapshot) -> float | None:
    """Seconds from its first start to its end, or until now; waits between attempts count."""
    if task.started_at is None:
        return None
    end = task.finished_at or datetime.now(UTC)
    return max(0.0, (end - task.started_at).total_seconds())


def _is_message_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
