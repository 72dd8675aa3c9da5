"""``lexiclass-worker documents ...``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass_core.statuses import IndexStatus
from lexiclass_worker.cli import deletions
from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.output import (
    AsJson,
    console,
    print_fields,
    print_json,
    print_rows,
    prose,
    show,
)
from lexiclass_worker.cli.references import Limit, ProjectName, find_project
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.documents import DocumentDetails, DocumentEntry
    from lexiclass_worker.repositories.labels import FieldLabel

app = typer.Typer(help="Documents of a project.", no_args_is_help=True)

After = Annotated[int, typer.Option(min=0, help="From the document after this number on.")]

_BEGINNING: Final = 1_000

_PROSE: Final = ("id", "source", "labels", "text")


@app.command("list")
def list_documents(
    project: ProjectName,
    index_status: Annotated[
        IndexStatus | None, typer.Option(help="In this status of the index only.")
    ] = None,
    labelled: Annotated[
        bool | None,
        typer.Option("--labelled/--unlabelled", help="With a label, or without: of --field."),
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="The field that --labelled and --class are about.")
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="With this label in --field only.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="With this text in their source, or in their id there.")
    ] = None,
    after: After = 0,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List documents by number: source, labels, and the beginning of the text."""
    from lexiclass_core import references
    from lexiclass_worker.admin import documents
    from lexiclass_worker.repositories.document_rows import DocumentFilter

    if class_name is not None and field is None:
        raise typer.BadParameter("--class needs the --field that it is a class of")

    async def read(context: AdminContext) -> list[DocumentEntry]:
        project_id, field_id, class_id = await find_project(context.sessions, project), None, None
        async with context.sessions() as session:
            if field is not None:
                field_id = await references.find_field(session, project_id, field)
                if class_name is not None:
                    class_id = await references.find_class(session, field_id, class_name)
        wanted = DocumentFilter(
            project_id=project_id,
            index_status=index_status,
            is_labelled=labelled,
            field_id=field_id,
            class_id=class_id,
            source=source,
        )
        return await documents.list_documents(context, wanted, after=after, limit=limit)

    entries = in_context(load_settings(), read)
    if as_json:
        print_json([entry.as_fields() for entry in entries])
        return
    rows = [_row(entry) for entry in entries]
    columns = ["document", "source", "labels", "text", "id", "index"]
    if all(row["id"] in {None, row["source"]} for row in rows):
        columns.remove("id")
    print_rows([prose(c) if c in _PROSE else c for c in columns], rows)
    if len(entries) == limit:
        console.print(f"more: --after {entries[-1].row.document_id}")


@app.command("show")
def show_document(
    project: ProjectName,
    document: Annotated[
        str, typer.Argument(metavar="DOCUMENT", help="Its number, or its id in the source.")
    ],
    full: Annotated[bool, typer.Option("--full", help="All of the text.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a document: where it is from, its labels, its latest predictions, its text."""
    from lexiclass_worker.admin import documents

    async def read(context: AdminContext) -> DocumentDetails:
        project_id = await find_project(context.sessions, project)
        return await documents.show_document(context, project_id, document)

    details = in_context(load_settings(), read)
    text = details.text
    if text is not None and not full:
        text = text[:_BEGINNING]
    if as_json:
        print_json(_fields(details, text))
        return
    print_fields(
        {
            "document": details.row.document_id,
            "id": details.row.source_id,
            "source": details.row.source,
            "index": details.row.index_status,
            "content path": details.row.content_path,
            "metadata": details.row.metadata,
            **{f"label of {label.field}": _named(label) for label in details.labels},
            **{
                f"prediction of {found.field}": f"{found.class_name}, {found.confidence:.3f} "
                f"(version {found.model_version}, {show(found.predicted_at)})"
                for found in details.predictions
            },
        }
    )
    if text is None:
        console.print("\nits text cannot be read")
        return
    console.print()
    console.print("\n".join(map(show, text.split("\n"))), highlight=False, soft_wrap=True)
    if len(text) < len(details.text or ""):
        console.print(f"[dim]... {len(details.text or ''):,} characters in all: --full")


def _row(entry: DocumentEntry) -> dict[str, Any]:
    from lexiclass_worker.admin.texts import excerpt

    return {
        "document": entry.row.document_id,
        "id": entry.row.source_id,
        "source": entry.row.source,
        "index": entry.row.index_status,
        "labels": ", ".join(f"{label.field}: {_named(label)}" for label in entry.labels) or None,
        "text": excerpt(entry.excerpt, 60),
    }


def _named(label: FieldLabel) -> str:
    return f"{label.class_name} ({'training' if label.is_training_data else 'test'})"


def _fields(details: DocumentDetails, text: str | None) -> dict[str, Any]:
    return {
        "document_id": details.row.document_id,
        "id": details.row.source_id,
        "source": details.row.source,
        "index_status": details.row.index_status,
        "content_path": details.row.content_path,
        "metadata": details.row.metadata,
        "labels": [label._asdict() for label in details.labels],
        "predictions": [prediction._asdict() for prediction in details.predictions],
        "text": text,
        "characters": None if details.text is None else len(details.text),
    }


app.command("delete")(deletions.delete_documents)
