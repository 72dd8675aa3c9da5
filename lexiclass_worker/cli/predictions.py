"""``lexiclass-worker predictions ...``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.documents import After
from lexiclass_worker.cli.exporting import ClassName, ExportOptions, Split, tell, write
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.cli.references import FieldName, Limit, ProjectName, find_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.export_files import Record
    from lexiclass_worker.admin.exporting import ExportReport
    from lexiclass_worker.repositories.prediction_rows import PredictionFilter

app = typer.Typer(help="The latest predictions of a field.", no_args_is_help=True)

_COLUMNS: Final = (
    "document_id", "id", "source", "predicted_class", "confidence", "model_version",
    "familiarity", "unfamiliar",
)  # fmt: skip
_SHOWN: Final = ("predicted_class", "confidence", "model_version")
_VERDICTS: Final = {None: None, True: "yes", False: "review"}
_EXCERPT: Final = 60
_FIGURES: Final = ("document", "confidence", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which predictions, in the words of the command line."""

    project: ProjectName
    field: FieldName
    class_name: ClassName = None
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of this confidence or more.")
    ] = None
    max_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of this confidence or less.")
    ] = None
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Of labelled documents that have another class.")
    ] = False
    unfamiliar: Annotated[
        bool,
        typer.Option(
            "--unfamiliar", help="Of documents unlike those that the model was trained on."
        ),
    ] = False
    to_review: Annotated[
        bool, typer.Option("--to-review", help="That were marked as to be reviewed (--accept-at).")
    ] = False
    accepted: Annotated[
        bool, typer.Option("--accepted", help="That were marked as accepted (--accept-at).")
    ] = False
    split: Annotated[
        Split | None,
        typer.Option("--split", help="Of documents with such labels; test with --wrong."),
    ] = None
    changed_since: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="VERSION",
            help="Of documents of which this version has said another class.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.accepted and self.to_review:
            raise typer.BadParameter("--accepted and --to-review leave nothing: give one of them")

    @property
    def is_accepted(self) -> bool | None:
        """How they are marked; None if it does not matter."""
        return self.accepted if self.accepted or self.to_review else None

    @property
    def labels(self) -> Split | None:
        """Which labels the documents have; None if it does not matter whether they have any."""
        return self.split or (Split.TEST if self.wrong else None)

    async def filter(self, context: AdminContext) -> PredictionFilter:
        """The rows that are meant.

        Raises:
            UnresolvedName: If the project, the field or the class is unknown.
        """
        from lexiclass_core import references
        from lexiclass_worker.repositories.prediction_rows import PredictionFilter

        project_id, field_id = await find_field(context.sessions, self.project, self.field)
        class_id = None
        if self.class_name is not None:
            async with context.sessions() as session:
                class_id = await references.find_class(session, field_id, self.class_name)
        return PredictionFilter(
            project_id=project_id,
            field_id=field_id,
            class_id=class_id,
            min_confidence=self.min_confidence,
            max_confidence=self.max_confidence,
            is_labelled=self.labels is not None,
            is_wrong=self.wrong,
            is_unfamiliar=self.unfamiliar,
            is_accepted=self.is_accepted,
            is_training_data=None if self.labels is None else self.labels.is_training_data,
        )


@app.command("list")
@grouped
def list_predictions(
    choice: _Choice, after: After = 0, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """List predictions by document: class, confidence, source, the beginning of the text."""
    from lexiclass_worker.admin import predictions
    from lexiclass_worker.admin.exporting import first
    from lexiclass_worker.admin.texts import excerpt

    async def read(context: AdminContext) -> list[Record]:
        pages = predictions.predictions(
            context,
            await choice.filter(context),
            changed_since=choice.changed_since,
            with_text=True,
            after=after,
            size=min(limit, 200),
        )
        return await first(pages, limit)

    records = in_context(load_settings(), read)
    for record in records:
        record["excerpt"] = excerpt(record.pop("text"))
    if as_json:
        print_json(records)
        return
    _print(records, choice)
    if len(records) == limit:
        console.print(f"more: --after {records[-1]['document_id']}")


@app.command("export")
@grouped
def export_predictions(
    choice: _Choice,
    options: ExportOptions,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth", help="CSV with true_class and split, as --wrong and --split have it."
        ),
    ] = False,
) -> None:
    """Write predictions as CSV, JSON lines, Parquet or tasks for Label Studio."""
    from lexiclass_worker.admin import predictions
    from lexiclass_worker.admin.export_formats import ExportFormat

    columns = list(_COLUMNS)
    if choice.is_accepted is not None:
        columns.append("is_accepted")
    if choice.changed_since is not None:
        columns.append("previous_class")
    if truth or choice.labels is not None:
        columns += ["true_class", "split"]
    if options.format is ExportFormat.PARQUET:
        columns.append("predicted_at")

    async def run(context: AdminContext) -> ExportReport:
        wanted = await choice.filter(context)
        pages = predictions.predictions(
            context, wanted, changed_since=choice.changed_since, with_text=options.reads_texts
        )
        return await write(context, pages, wanted, columns, options)

    what = f"{'wrong ' if choice.wrong else ''}predictions"
    tell(in_context(load_settings(), run), what, options)


def _print(records: list[Record], choice: _Choice) -> None:
    from lexiclass_worker.admin.texts import excerpt

    if not records:
        console.print("no prediction fits")
        return
    columns = {
        "document": "document_id",
        "predicted": "predicted_class",
        "before": "previous_class",
        "true class": "true_class",
        "confidence": "confidence",
        "unfamiliar": "mark",
        "accepted": "verdict",
        "text": "excerpt",
        "source": "source",
        "id": "id",
        "version": "model_version",
    }
    for record in records:
        record["mark"] = "yes" if record["unfamiliar"] else None
        record["verdict"] = _VERDICTS[record["is_accepted"]]
    shown = [
        name
        for name, column in columns.items()
        if column in _SHOWN or any(record.get(column) is not None for record in records)
    ]
    if all(record["id"] == record["source"] for record in records) and "id" in shown:
        shown.remove("id")
    rows = [
        {name: record.get(columns[name]) for name in shown}
        | {"text": excerpt(record["excerpt"], _EXCERPT)}
        for record in records
    ]
    print_rows([name if name in _FIGURES else prose(name) for name in shown], rows)
    if choice.wrong and choice.labels is not None:
        which = "test and training" if choice.labels is Split.ALL else choice.labels
        console.print(f"held against the {which} labels")
