"""``lexiclass-worker workers ...``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from lexiclass_worker.cli.connections import open_client
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_core.client import WorkerSnapshot

app = typer.Typer(help="Worker processes, and what they run.", no_args_is_help=True)


@app.command("list")
def list_workers(as_json: AsJson = False) -> None:
    """List the worker processes that are registered: where they are and what they run.

    One that was killed is listed as silent for some minutes, with what it left.
    """
    with open_client(load_settings()) as client:
        workers = client.workers()
    if as_json:
        print_json([asdict(worker) for worker in workers])
    elif not workers:
        console.print("no worker is registered: lexiclass-worker run starts some")
    else:
        columns = ("host", "pid", "state", "queues", "threads", prose("runs"), "started_at")
        print_rows((*columns, "seen_at", "group_pid", "version"), map(_row, workers))


def _row(worker: WorkerSnapshot) -> dict[str, Any]:
    tasks = "; ".join(f"{task.task_id} {task.type} {task.progress} %" for task in worker.running)
    left = "left " if worker.is_silent else ""
    return {
        **asdict(worker),
        "state": "silent" if worker.is_silent else "ok",
        "queues": ", ".join(worker.queues),
        "runs": tasks and left + tasks,
    }
