"""``lexiclass-worker project ...``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lexiclass_worker.cli import deletions
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
from lexiclass_worker.cli.references import ProjectName, find_project
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.importing import ImportReport, ImportRequest

app = typer.Typer(help="Projects and their documents.", no_args_is_help=True)

_SHOWN_REFUSALS = 10


Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME[=COLUMN]",
        help="Field that the labels answer, and the column they are in: label if not said. Can be "
        "given more than once.",
    ),
]
TestFraction = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of the labels without a split that become test data."),
]


DocumentFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="What files of a folder are in that could be plain text: email, html, markdown, or "
        "text, as it is. Recognised if not said.",
    ),
]


@app.command("import")
def import_command(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder per class; or .txt files and labels.csv/.tsv (id, label, split); or one "
            ".csv, .tsv or .jsonl with text, label and split.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the new project; the path's name.")
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(metavar="PROJECT", help="Name or number of a project to add to instead."),
    ] = None,
    field: Fields = None,
    test_fraction: TestFraction = 0.2,
    document_format: DocumentFormat = None,
    as_json: AsJson = False,
) -> None:
    """Import labelled texts as a new project: all of them, or after an error none."""
    if project is not None:
        if name is not None:
            raise typer.BadParameter("give --name for a new project or --project, not both")
        add(project, path, field, test_fraction, document_format, as_json)
        return
    from lexiclass.corpora import Columns
    from lexiclass_worker.admin.importing import ImportRequest

    settings = load_settings()
    request = ImportRequest(
        path=path,
        project=name or path.resolve().stem,
        test_fraction=test_fraction,
        max_bytes=settings.limits.document_bytes,
        columns=Columns(labels=_columns(field or ["label"])),
        document_format=document_format,
    )
    _import_and_print(settings, request, as_json=as_json)


@app.command("add")
def add(
    project: ProjectName,
    path: Annotated[
        Path,
        typer.Argument(
            help="As for `project import`; rows with an id need no text to tell labels."
        ),
    ],
    field: Fields = None,
    test_fraction: TestFraction = 0.2,
    document_format: DocumentFormat = None,
    as_json: AsJson = False,
) -> None:
    """Add documents, labels and fields to a project, or replace what it has under the same ids."""
    from lexiclass.corpora import Columns
    from lexiclass_worker.admin.importing import ImportRequest

    settings = load_settings()
    project_id, fields = asyncio.run(_find(settings, project))
    request = ImportRequest(
        path=path,
        project=project_id,
        test_fraction=test_fraction,
        max_bytes=settings.limits.document_bytes,
        columns=Columns(labels=_columns(field or [_only(fields, project_id)])),
        labelled=bool(field),
        document_format=document_format,
    )
    _import_and_print(settings, request, as_json=as_json)


def _columns(fields: list[str]) -> dict[str, str]:
    """The column of each field."""
    pairs = [field.partition("=") for field in fields]
    columns = {name.strip(): column.strip() if mark else "label" for name, mark, column in pairs}
    if len(columns) < len(pairs) or not all(columns) or not all(columns.values()):
        raise typer.BadParameter(
            f"--field {' --field '.join(fields)}: expected NAME or NAME=COLUMN, each name once"
        )
    if len(set(columns.values())) < len(columns):
        raise typer.BadParameter(
            f"--field {' --field '.join(fields)}: several fields with one column; say which column "
            "is whose, as in --field topic=topic --field language=language"
        )
    return columns


def _only(fields: Sequence[str], project_id: int) -> str:
    """The field of a project whose labels are in the column label, where none is named."""
    if len(fields) > 1:
        from lexiclass_worker.errors import InvalidRequest

        raise InvalidRequest(
            f"project {project_id} has the fields {', '.join(fields)}: say which one the labels "
            "answer with --field NAME or NAME=COLUMN"
        )
    return fields[0] if fields else "label"


def _import_and_print(settings: Settings, request: ImportRequest, *, as_json: bool) -> None:
    from lexiclass import LexiClassError
    from lexiclass_worker.errors import InvalidRequest

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
    from lexiclass_worker.admin.importing import import_corpus
    from lexiclass_worker.storage import open_storage

    storage = open_storage(settings.storage.base_path)
    async with open_sessions(settings) as sessions:
        return await import_corpus(sessions, storage, request, on_progress=on_progress)


async def _find(settings: Settings, project: str) -> tuple[int, list[str]]:
    """A project's number, and the names of its fields."""
    from lexiclass_worker.repositories import projects

    async with open_sessions(settings) as sessions:
        project_id = await find_project(sessions, project)
        async with sessions() as session:
            await projects.require_project(session, project_id)
            return project_id, await projects.field_names(session, project_id)


async def _list(settings: Settings) -> list[dict[str, Any]]:
    from lexiclass_worker.repositories import projects

    async with open_sessions(settings) as sessions, sessions() as session:
        return await projects.list_projects(session)


def _fields(report: ImportReport) -> dict[str, Any]:
    return {
        "project_id": report.project_id,
        "field_id": report.field_id,
        "fields": report.fields,
        "num_documents": report.num_documents,
        **asdict(report.counts),
        "num_training": report.num_training,
        "num_test": report.num_test,
        "num_unlabelled": report.num_unlabelled,
        "num_refused": report.num_refused,
        "classes": dict(report.classes),
        "field_classes": {name: dict(found) for name, found in report.summary.classes.items()},
        "refusals": [asdict(refusal) for refusal in report.refusals],
        **report.summary.as_json(),
        "warnings": report.warnings,
    }


def _formats(report: ImportReport) -> dict[str, str]:
    formats = report.summary.formats
    if not formats.keys() - {"text"}:
        return {}
    return {"formats": ", ".join(f"{number} {name}" for name, number in formats.most_common())}


def _print_report(report: ImportReport) -> None:
    counts = report.counts
    print_fields(
        {
            "project": report.project_id,
            "fields": ", ".join(f"{number} {name}" for name, number in report.fields.items()),
            "documents": f"{report.num_documents}: {counts.added} added, {counts.changed} changed, "
            f"{counts.unchanged} unchanged",
            "labels": f"{counts.labels_added} added, {counts.labels_changed} changed",
            "training labels": report.num_training,
            "test labels": report.num_test,
            "without a label": report.num_unlabelled,
            "refused": report.num_refused,
            **_formats(report),
        }
    )
    classes = [
        {"field": name, "class": class_name, "documents": number}
        for name, found in report.summary.classes.items()
        for class_name, number in found.most_common()
    ]
    several = ("field",) if len(report.fields) > 1 else ()
    print_rows((*several, prose("class"), "documents"), classes)
    if report.refusals:
        rows = [asdict(refusal) for refusal in report.refusals[:_SHOWN_REFUSALS]]
        print_rows((prose("where"), prose("reason")), rows, title="refused")
        if report.num_refused > len(rows):
            console.print(f"... and {report.num_refused - len(rows)} more; --json lists them")
    for warning in report.warnings:
        console.print(f"[bold yellow]warning:[/] {escape(warning)}", highlight=False)


app.command("delete")(deletions.delete_project)
