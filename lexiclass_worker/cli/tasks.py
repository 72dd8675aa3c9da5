"""``lexiclass-worker tasks ...``."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lexiclass_core.client import TaskSnapshot
from lexiclass_core.models import TaskStatus
from lexiclass_core.schemas import REQUESTS
from lexiclass_worker.cli.connections import open_client, open_sessions
from lexiclass_worker.cli.output import AsJson, console, print_fields, print_json, print_rows
from lexiclass_worker.config import load_settings
from lexiclass_worker.errors import InvalidRequest, NotFound, translate
from lexiclass_worker.repositories import tasks

app = typer.Typer(help="What became of each message.", no_args_is_help=True)

TaskId = Annotated[int, typer.Argument(help="Id of the task.")]


@app.command("list")
def list_tasks(
    project: Annotated[int | None, typer.Option(help="Of this project only.")] = None,
    status: Annotated[TaskStatus | None, typer.Option(help="In this status only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first."""
    rows = [_fields(task) for task in asyncio.run(_list(project, status, limit))]
    columns = ("id", "type", "project_id", "status", "progress", "attempts", "queued_at", "error")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["error"] = row["error"] and row["error"]["code"]
        row["progress"] = f"{row['progress']} %"
    print_rows(columns, rows)


@app.command("show")
def show_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Show all of a task: its request, and its result or its error."""
    with open_client(load_settings()) as client:
        fields = _fields(client.status(task_id))
    print_json(fields) if as_json else print_fields(fields)


@app.command("cancel")
def cancel_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Cancel a task that waits, for its first attempt or its next: it never runs."""
    with open_client(load_settings()) as client:
        client.status(task_id)
        if not asyncio.run(_cancel(task_id)):
            status = client.status(task_id).status
            raise InvalidRequest(
                f"task {task_id} is {status}: only one that is pending or retrying can be cancelled"
            )
        fields = _fields(client.status(task_id))
    if as_json:
        print_json(fields)
    else:
        console.print(f"task {task_id} is cancelled")


@app.command("retry")
def retry_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """Submit the request of a task that failed or was cancelled once more, as a new task."""
    with open_client(load_settings()) as client:
        old = client.status(task_id)
        if old.status not in {TaskStatus.FAILED, TaskStatus.CANCELLED}:
            raise InvalidRequest(
                f"task {task_id} is {old.status}: only one that failed or was cancelled is retried"
            )
        schemas = {str(name): schema for name, schema in REQUESTS.items()}
        if old.type not in schemas:
            raise NotFound(f"task {task_id} is of the unknown type {old.type!r}")
        try:
            request = schemas[old.type].model_validate(old.request)
        except ValidationError as error:
            raise translate(error) from error
        new = client.submit(request, correlation_id=old.correlation_id)
    if as_json:
        print_json(_fields(new))
    else:
        console.print(f"task {task_id} is submitted again as task {new.id}")


def _fields(task: TaskSnapshot) -> dict[str, Any]:
    return {**asdict(task), "error": task.error and task.error.model_dump()}


async def _list(
    project_id: int | None, status: TaskStatus | None, limit: int
) -> list[TaskSnapshot]:
    async with open_sessions(load_settings()) as sessions, sessions() as session:
        rows = await tasks.list_tasks(session, project_id=project_id, status=status, limit=limit)
        return [TaskSnapshot.of(row) for row in rows]


async def _cancel(task_id: int) -> bool:
    async with open_sessions(load_settings()) as sessions, sessions.begin() as session:
        return await tasks.cancel_waiting(session, task_id)
