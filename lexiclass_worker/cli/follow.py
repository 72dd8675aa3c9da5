"""Submitting a request and watching what becomes of it."""

import time
from typing import Final

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lexiclass_core.client import TaskClient, TaskSnapshot
from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import Request
from lexiclass_worker.cli.output import EXIT_FAILED, console, errors

_POLL_S: Final = 0.2


def submit_and_watch(client: TaskClient, request: Request, description: str) -> TaskSnapshot:
    """Submit a request and show a bar until its task is final.

    Raises:
        typer.Exit: If it does not succeed; the reason is printed.
    """
    task = watch(client, client.submit(request), description)
    if task.status is not TaskStatus.SUCCEEDED:
        report_failure(task)
        raise typer.Exit(EXIT_FAILED)
    return task


def watch(client: TaskClient, task: TaskSnapshot, description: str) -> TaskSnapshot:
    """Show a bar until the task is final."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(description, total=100, note="queued")
        while True:
            progress.update(bar, completed=task.progress, note=_note(task))
            if task.status.is_final:
                return task
            time.sleep(_POLL_S)
            task = client.status(task.id)


def report_failure(task: TaskSnapshot) -> None:
    """Print why a task has no result."""
    if task.error is None:
        errors.print(f"task {task.id} is {task.status}")
    else:
        errors.print(
            f"[bold red]task {task.id} failed:[/] {task.error.code}: {task.error.message}",
            highlight=False,
            soft_wrap=True,
        )


def _note(task: TaskSnapshot) -> str:
    match task.status:
        case TaskStatus.PENDING:
            return "queued"
        case TaskStatus.RETRYING:
            return f"attempt {task.attempts} of {task.max_attempts} failed, trying again"
        case TaskStatus.STARTED:
            return task.stage or "started"
        case status:
            return status
