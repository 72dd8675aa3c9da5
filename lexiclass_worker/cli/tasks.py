"""``lexiclass-worker tasks ...``."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

import typer

from lexiclass_core.statuses import TaskStatus
from lexiclass_worker.cli.connections import open_client
from lexiclass_worker.cli.follow import hindrance_text, json_lines, report_failure, view_on, watch
from lexiclass_worker.cli.operation_names import OperationName
from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    Column,
    console,
    print_json,
    print_rows,
)
from lexiclass_worker.cli.references import Limit
from lexiclass_worker.cli.task_fields import TaskName, fields_of, named, print_task
from lexiclass_worker.cli.task_history import history_fields, print_history
from lexiclass_worker.cli.task_submission import submit_task
from lexiclass_worker.config import load_settings

app = typer.Typer(help="What became of each message.", no_args_is_help=True)
app.command("submit")(submit_task)

_COLUMNS: Final = (
    "id", "type", "status", "error", Column("queued_at", "queued"), Column("project_id", "project"),
    "attempts",
)  # fmt: skip


@app.command("list")
def list_tasks(
    project: Annotated[
        str | None, typer.Option(help="Of this project only: its name or number.")
    ] = None,
    status: Annotated[TaskStatus | None, typer.Option(help="In this status only.")] = None,
    kind: Annotated[OperationName | None, typer.Option("--type", help="Of this type only.")] = None,
    parent: Annotated[int | None, typer.Option(help="The chunks of this task.")] = None,
    before: Annotated[int | None, typer.Option(help="Older than this task only.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first; chunks of large predictions only with --parent."""
    with open_client(load_settings()) as client:
        page = client.list(
            project_id=None if project is None else client.find_project(project),
            status=status,
            type=kind,
            parent=parent,
            before=before,
            limit=limit,
        )
    rows = [fields_of(task) for task in page.tasks]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["error"] = row["error"] and row["error"]["code"]
        if not row["status"].is_final:
            row["status"] = f"{row['status']} {row['progress']} %"
    print_rows(_COLUMNS, rows)
    if page.next_before is not None:
        console.print(f"older ones: --before {page.next_before}")


@app.command("show")
def show_task(name: TaskName, as_json: AsJson = False) -> None:
    """Show all of a task: its request, its result or error, its chunks, and what happened to it."""
    with open_client(load_settings()) as client:
        task = named(name, client.status)
        fields = fields_of(task)
        if not task.status.is_final:
            event = client.look(task.id)
            fields["hindrance"] = hindrance_text(event.hindrance, event.queue)
        if task.num_chunks is not None:
            chunks = client.list(parent=task.id, limit=max(1, task.num_chunks)).tasks
            fields["chunks"] = Counter(str(chunk.status) for chunk in chunks)
        history = client.history(task.id)
    if as_json:
        print_json({**fields, "history": history_fields(history)})
        return
    print_task(fields)
    if history:
        print_history(history)


@app.command("watch")
def watch_task(name: TaskName, as_json: AsJson = False) -> None:
    """Show a task's progress until it is final; JSON is an event a line. Ctrl-C leaves it alone."""
    with open_client(load_settings()) as client:
        task = named(name, client.status)
        view = json_lines if as_json else view_on(console)
        task = watch(client, task.id, f"task {task.id} {task.type}", view)
    if task.status is not TaskStatus.SUCCEEDED:
        report_failure(task)
        raise typer.Exit(EXIT_FAILED)


@app.command("cancel")
def cancel_task(
    name: TaskName,
    wait: Annotated[bool, typer.Option("--wait", help="Until a running one has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a task: one that waits never runs, one that runs is stopped."""
    with open_client(load_settings()) as client:
        task = named(name, client.cancel)
        if wait:
            task = client.wait(task.id)
    if as_json:
        print_json(fields_of(task))
    elif task.status.is_final:
        console.print(f"task {task.id} is {task.status}")
    else:
        console.print(f"task {task.id} is running: its worker stops it within a few seconds")


@app.command("retry")
def retry_task(name: TaskName, as_json: AsJson = False) -> None:
    """Submit the request of a task that failed or was cancelled once more, as a new task."""
    with open_client(load_settings()) as client:
        old = named(name, client.status)
        new = client.retry(old.id)
    if as_json:
        print_json(fields_of(new))
    else:
        console.print(f"task {old.id} is submitted again as task {new.id}")
