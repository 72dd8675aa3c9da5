"""What happened to a task, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lexiclass_core.statuses import TaskEventKind
from lexiclass_worker.cli.output import duration, print_rows, prose
from lexiclass_worker.cli.task_fields import worker_of

if TYPE_CHECKING:
    from lexiclass_core.client import TaskHistoryEntry

_COLUMNS: Final = ("at", "event", "attempt", prose("what", "details"))

_MEANINGS: Final = {
    TaskEventKind.LAPSED: "its worker died, stalled or lost the database",
    TaskEventKind.RELEASED: "handed back by a worker that was shut down",
    TaskEventKind.DEFERRED: "waits for others to end",
    TaskEventKind.DIVIDED: "waits for its chunks",
    TaskEventKind.CANCEL_REQUESTED: "its worker is asked to stop it",
}


def history_fields(history: Sequence[TaskHistoryEntry]) -> list[dict[str, Any]]:
    """A history as JSON has it."""
    return [
        {**asdict(entry), "error": entry.error and entry.error.model_dump()} for entry in history
    ]


def print_history(history: Sequence[TaskHistoryEntry]) -> None:
    """Print what happened to a task, oldest first."""
    rows = [
        {
            "at": entry.at,
            "event": entry.event.replace("_", " "),
            "attempt": entry.attempt,
            "what": _details(entry),
        }
        for entry in history
    ]
    print_rows(_COLUMNS, rows, title="history")


def _details(entry: TaskHistoryEntry) -> str:
    worker = worker_of(entry.worker)
    said = [
        "" if entry.error is None else f"{entry.error.code}: {entry.error.message}",
        _MEANINGS.get(entry.event, "") if entry.error is None else "",
        "" if entry.delay_s is None else f"again in {duration(round(entry.delay_s, 1))}",
        "" if entry.times == 1 else f"{entry.times} times, the last then",
        "" if worker is None else f"process {worker['pid']} on {worker['host']}",
    ]
    return "; ".join(filter(None, said))
