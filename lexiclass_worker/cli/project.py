"""``lexiclass-worker project ...``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lexiclass_worker.cli.connections import open_sessions
from lexiclass_worker.cli.output import (
    AsJson,
    console,
    errors,
    print_fields,
    print_json,
    print_rows,
    prose,
)
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass_worker.services.importing import ImportReport, ImportRequest

app = typer.Typer(help="Projects and their documents.", no_args_is_help=True)

_SHOWN_REFUSALS = 10


@app.command("import")
def import_command(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder per class; or .txt files and labels.csv/.tsv (id, label, split); or one "
            ".csv, .tsv or .jsonl with text, label and split.",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the project; the path's name.")] = None,
    field: Annotated[str, typer.Option(help="Name of the field the labels answer.")] = "label",
    test_fraction: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the labels without a split that become test data."
        ),
    ] = 0.2,
    as_json: AsJson = False,
) -> None:
    """Import labelled texts as a new project: all of them, or after an error none."""
    from lexiclass import LexiClassError
    from lexiclass_worker.errors import InvalidRequest
    from lexiclass_worker.services.importing import ImportRequest

    settings = load_settings()
    request = ImportRequest(
        path=path,
        project_name=name or path.resolve().stem,
        field_name=field,
        test_fraction=test_fraction,
        max_bytes=settings.limits.document_bytes,
    )
    try:
        report = import_with_progress(settings, request)
    except LexiClassError as error:
        raise InvalidRequest(error.message) from error
    if as_json:
        print_json(_fields(report))
    else:
        _print_report(report)


@app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """List the projects with their fields and number of documents."""
    rows = asyncio.run(_list(load_settings()))
    columns = (
        "id", prose("name"), "documents", prose("fields"), "index_status", "model_status",
    )  # fmt: skip
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["fields"] = ", ".join(f"{field['id']} {field['name']}" for field in row["fields"])
    print_rows(columns, rows)


def import_with_progress(settings: Settings, request: ImportRequest) -> ImportReport:
    """Import, with a counter on standard error while it runs."""
    columns = (
        SpinnerColumn(),
        TextColumn("importing {task.completed:,.0f} records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=None)
        return asyncio.run(
            _import(settings, request, lambda done: progress.update(bar, completed=done))
        )


async def _import(settings: Settings, request: ImportRequest, on_progress: Any) -> ImportReport:
    from lexiclass_worker.services.importing import import_project
    from lexiclass_worker.storage import open_storage

    storage = open_storage(settings.storage.base_path)
    async with open_sessions(settings) as sessions:
        return await import_project(sessions, storage, request, on_progress=on_progress)


async def _list(settings: Settings) -> list[dict[str, Any]]:
    from lexiclass_worker.repositories import projects

    async with open_sessions(settings) as sessions, sessions() as session:
        return await projects.list_projects(session)


def _fields(report: ImportReport) -> dict[str, Any]:
    return {
        "project_id": report.project_id,
        "field_id": report.field_id,
        "num_documents": report.num_documents,
        "num_training": report.num_training,
        "num_test": report.num_test,
        "num_unlabelled": report.num_unlabelled,
        "num_refused": report.num_refused,
        "classes": dict(report.classes),
        "refusals": [asdict(refusal) for refusal in report.refusals],
        **report.summary.as_json(),
    }


def _print_report(report: ImportReport) -> None:
    print_fields(
        {
            "project": report.project_id,
            "field": report.field_id,
            "documents": report.num_documents,
            "training labels": report.num_training,
            "test labels": report.num_test,
            "without a label": report.num_unlabelled,
            "refused": report.num_refused,
        }
    )
    classes = [{"class": name, "documents": n} for name, n in report.classes.most_common()]
    print_rows((prose("class"), "documents"), classes)
    if report.refusals:
        rows = [asdict(refusal) for refusal in report.refusals[:_SHOWN_REFUSALS]]
        print_rows(("where", prose("reason")), rows, title="refused")
        if report.num_refused > len(rows):
            console.print(f"... and {report.num_refused - len(rows)} more; --json lists them")
