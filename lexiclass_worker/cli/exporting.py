"""What the exports of predictions and of labels have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lexiclass_worker.admin.export_formats import ExportFormat
from lexiclass_worker.cli.output import errors

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.export_files import Record
    from lexiclass_worker.admin.exporting import ExportReport
    from lexiclass_worker.repositories.prediction_rows import LabelFilter, PredictionFilter


class Split(StrEnum):
    """Which documents, by their labels."""

    TEST = "test"
    TRAIN = "train"
    ALL = "all"

    @property
    def is_training_data(self) -> bool | None:
        """What the labels' column of this name holds; None for either."""
        return None if self is Split.ALL else self is Split.TRAIN


STDOUT: Final = Path("-")

ClassName = Annotated[str | None, typer.Option("--class", help="Of this class only.")]
_SUFFIXES: Final = {
    ".csv": ExportFormat.CSV,
    ".jsonl": ExportFormat.JSONL,
    ".ndjson": ExportFormat.JSONL,
    ".parquet": ExportFormat.PARQUET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to write records, and where to."""

    chosen: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Default: what the file's name ends in, else csv."),
    ] = None
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="It appears complete or not at all; - is stdout."
        ),
    ] = STDOUT
    with_excerpt: Annotated[
        bool, typer.Option("--excerpt", help="With the beginning of each document's text.")
    ] = False
    with_text: Annotated[bool, typer.Option("--text", help="With the documents' texts.")] = False
    unguarded: Annotated[
        bool,
        typer.Option(
            "--unguarded",
            help="CSV for programs: no ' before texts that spreadsheets would run as formulas.",
        ),
    ] = False
    with_mark: Annotated[
        bool, typer.Option("--bom", help="CSV with a byte order mark, by which Excel knows UTF-8.")
    ] = False

    @property
    def format(self) -> ExportFormat:
        """The format that is asked for, or that the file's name ends in."""
        return self.chosen or _SUFFIXES.get(self.output.suffix.lower(), ExportFormat.CSV)

    @property
    def is_guarded(self) -> bool:
        """Whether texts that a spreadsheet would run are disarmed."""
        return self.format is ExportFormat.CSV and not self.unguarded

    @property
    def reads_texts(self) -> bool:
        """Whether texts are read."""
        return self.writes_texts or self.with_excerpt

    @property
    def writes_texts(self) -> bool:
        """Whether texts are asked for; Label Studio has nothing to show without."""
        return self.with_text or self.format is ExportFormat.LABEL_STUDIO


async def write(
    context: AdminContext,
    pages: AsyncGenerator[list[Record]],
    wanted: PredictionFilter | LabelFilter,
    columns: list[str],
    options: ExportOptions,
) -> ExportReport:
    """Write pages of records of a field to a file, or to the standard output."""
    from lexiclass_core import versions
    from lexiclass_worker.admin import label_studio
    from lexiclass_worker.admin.export_files import open_output, open_writer
    from lexiclass_worker.admin.exporting import export, with_excerpts
    from lexiclass_worker.repositories import projects

    async with context.sessions() as session:
        # Before anything is written.
        await projects.require_field(session, wanted.project_id, wanted.field_id)
        field = (await versions.require_field(session, wanted.field_id)).name
        classes = await projects.class_names(session, wanted.field_id)
    if options.with_excerpt:
        columns = [*columns, "excerpt"]
        pages = with_excerpts(pages, keeps_texts=options.writes_texts)
    if options.with_text:
        columns = [*columns, "text"]
    with open_output(None if options.output == STDOUT else options.output) as file:
        writer = open_writer(
            file,
            options.format,
            columns,
            field=field,
            is_guarded=options.is_guarded,
            has_mark=options.with_mark,
        )
        report = await export(pages, writer)
    if options.format is ExportFormat.LABEL_STUDIO and options.output != STDOUT:
        line = f"labelling interface: {label_studio.interface(field, classes)}"
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    return report


def tell(report: ExportReport, what: str, options: ExportOptions) -> None:
    """Say beside the output what was written."""
    if options.output != STDOUT:
        line = f"{report.num_records:,} {what} in {options.output}"
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    if report.num_unreadable:
        errors.print(f"the texts of {report.num_unreadable:,} documents cannot be read")
