"""``lexiclass-worker project ...``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from rich.progress import TextColumn as ProgressText

from lexiclass.cli.option_groups import grouped
from lexiclass_worker.cli import deletions
from lexiclass_worker.cli.connections import in_context, in_session
from lexiclass_worker.cli.corpus_options import CorpusOptions, CorpusPath, Unlabelled
from lexiclass_worker.cli.import_report import print_import
from lexiclass_worker.cli.output import AsJson, errors, print_json, print_rows, prose
from lexiclass_worker.cli.references import ProjectName, resolve
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from lexiclass_worker.admin.import_report import ImportReport, ImportRequest

app = typer.Typer(help="Projects and their documents.", no_args_is_help=True)


@app.command("import")
@grouped
def import_command(
    path: CorpusPath,
    name: Annotated[
        str | None, typer.Option(help="Name of the new project; the path's name.")
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(metavar="PROJECT", help="Name or number of a project to add to instead."),
    ] = None,
    unlabelled: Unlabelled = False,
    *,
    options: CorpusOptions,
    as_json: AsJson = False,
) -> None:
    """Import labelled texts as a new project: all of them, or after an error none."""
    if project is not None:
        if name is not None:
            raise typer.BadParameter("give --name for a new project or --project, not both")
        _add(project, path, options, as_json=as_json)
        return
    settings = load_settings()
    request = options.request(
        path,
        name or path.resolve().stem,
        labelled=not unlabelled,
        max_bytes=settings.limits.document_bytes,
    )
    _import_and_print(settings, request, as_json=as_json)


@app.command("add")
@grouped
def add(
    project: ProjectName,
    path: Annotated[
        Path,
        typer.Argument(
            help="As for `project import`; rows with an id need no text to tell labels."
        ),
    ],
    options: CorpusOptions,
    as_json: AsJson = False,
) -> None:
    """Add documents, labels and fields to a project, or replace what it has under the same ids."""
    _add(project, path, options, as_json=as_json)


def _add(project: str, path: Path, options: CorpusOptions, *, as_json: bool) -> None:
    from lexiclass_worker.repositories import projects

    settings = load_settings()
    project_id, _ = resolve(settings, project)

    async def read_fields(session: AsyncSession) -> list[str]:
        await projects.require_project(session, project_id)
        return await projects.field_names(session, project_id)

    fields = in_session(settings, read_fields)
    columns = options.label_column or ()
    has_field = options.field or any("=" in column for column in columns)
    request = options.request(
        path,
        project_id,
        labelled=bool(options.field or columns),
        max_bytes=settings.limits.document_bytes,
        default_field="label" if has_field else _only(fields, project_id),
    )
    _import_and_print(settings, request, as_json=as_json)


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
    print_import(report, as_json=as_json)


@app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """List the projects with their fields and number of documents."""
    from lexiclass_worker.repositories import projects

    rows = in_session(load_settings(), projects.list_projects)
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
    from lexiclass_worker.admin.importing import import_corpus

    columns = (
        SpinnerColumn(),
        ProgressText("importing {task.completed:,.0f} records"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=None)

        def show(done: int) -> None:
            progress.update(bar, completed=done)

        return in_context(
            settings, lambda context: import_corpus(context, request, on_progress=show)
        )


app.command("delete")(deletions.delete_project)
