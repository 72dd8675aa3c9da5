"""``lexiclass-worker labels ...``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass_worker.cli import label_changes, suspects
from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.documents import After
from lexiclass_worker.cli.exporting import ClassName, ExportOptions, Split, tell, write
from lexiclass_worker.cli.output import AsJson, Column, console, print_json, print_rows, prose
from lexiclass_worker.cli.references import FieldName, Limit, ProjectName, find_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.export_files import Record
    from lexiclass_worker.admin.exporting import ExportReport
    from lexiclass_worker.repositories.prediction_rows import LabelFilter

app = typer.Typer(help="The labels of a field.", no_args_is_help=True)

OfSplit = Annotated[Split, typer.Option("--split", help="Test or training data only.")]

_COLUMNS: Final = ("document_id", "id", "source", "label", "split")
_EXCERPT: Final = 60


@app.command("list")
def list_labels(
    project: ProjectName,
    field: FieldName,
    class_name: ClassName = None,
    split: OfSplit = Split.ALL,
    after: After = 0,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List labels by document: class, training or test data, source, beginning of the text."""
    from lexiclass_worker.admin import predictions
    from lexiclass_worker.admin.exporting import first
    from lexiclass_worker.admin.texts import excerpt

    async def read(context: AdminContext) -> list[Record]:
        wanted = await _filter(context, project, field, class_name, split)
        size = min(limit, 200)
        pages = predictions.labels(context, wanted, with_text=True, after=after, size=size)
        return await first(pages, limit)

    records = in_context(load_settings(), read)
    for record in records:
        record["excerpt"] = excerpt(record.pop("text"))
    if as_json:
        print_json(records)
        return
    columns: list[str | Column] = [
        "document_id",
        prose("label"),
        "split",
        prose("text"),
        prose("source"),
    ]
    if any(record["id"] not in {None, record["source"]} for record in records):
        columns.append(prose("id"))
    print_rows(columns, [{**rec, "text": excerpt(rec["excerpt"], _EXCERPT)} for rec in records])
    if len(records) == limit:
        console.print(f"more: --after {records[-1]['document_id']}")


@app.command("export")
@grouped
def export_labels(
    project: ProjectName,
    field: FieldName,
    options: ExportOptions,
    class_name: ClassName = None,
    split: OfSplit = Split.ALL,
) -> None:
    """Write labels as CSV, JSON lines, Parquet or tasks for Label Studio.

    With --text, CSV and JSON lines are what `project import` reads.
    """
    from lexiclass.corpora import GUARDED
    from lexiclass_worker.admin import predictions

    async def run(context: AdminContext) -> ExportReport:
        wanted = await _filter(context, project, field, class_name, split)
        pages = predictions.labels(context, wanted, with_text=options.reads_texts)
        # What can be imported says how to undo what was done for spreadsheets.
        guarded = [GUARDED] if options.is_guarded else []
        return await write(context, pages, wanted, [*_COLUMNS, *guarded], options)

    tell(in_context(load_settings(), run), "labels", options)


async def _filter(
    context: AdminContext, project: str, field: str, class_name: str | None, split: Split
) -> LabelFilter:
    from lexiclass_core import references
    from lexiclass_worker.repositories.prediction_rows import LabelFilter

    project_id, field_id = await find_field(context.sessions, project, field)
    class_id = None
    if class_name is not None:
        async with context.sessions() as session:
            class_id = await references.find_class(session, field_id, class_name)
    return LabelFilter(
        project_id=project_id,
        field_id=field_id,
        class_id=class_id,
        is_training_data=split.is_training_data,
    )


app.command("suspects")(suspects.suspects)
app.command("set")(label_changes.set_label)
app.command("remove")(label_changes.remove_label)
