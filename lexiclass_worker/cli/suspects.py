"""``lexiclass-worker labels suspects``."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass_core.statuses import SuspectStatus
from lexiclass_worker.admin.export_formats import ExportFormat
from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.exporting import STDOUT, ExportOptions, tell, write
from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    Column,
    console,
    errors,
    print_fields,
    print_json,
    print_rows,
    prose,
)
from lexiclass_worker.cli.references import FieldName, ProjectName, find_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.export_files import Record
    from lexiclass_worker.admin.exporting import ExportReport
    from lexiclass_worker.admin.suspect_decisions import DecisionReport

_MOST: Final = 1_000
_SHOWN: Final = 50
_EXCERPT: Final = 60
_COLUMNS: Final = (
    "document_id", "id", "given_label", "suggested_label", "decision", "score", "reasons",
    "model_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which suspects of which field; with a version they are found in what it has kept first."""

    project: str
    field: str
    status: SuspectStatus
    limit: int
    version: int | None


@grouped
def suspects(
    project: ProjectName,
    field: FieldName,
    options: ExportOptions,
    status: Annotated[
        SuspectStatus, typer.Option("--status", help="What became of them.")
    ] = SuspectStatus.OPEN,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=_MOST, help="How many at most.", show_default="50, all in a file"),
    ] = None,
    decided: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE", help="Follow what annotators have decided in such a file."
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            "--version",
            min=1,
            max=2**31 - 1,
            help="Find them anew in what the training of this model version has kept.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the labels that look wrong, the most suspect first, with the class that fits better.

    Each training finds them among its documents. With --output or --format they are written for
    annotators: in the column `decision` another class than the label corrects it, the same one says
    that it is right, and --import follows.
    """
    settings = load_settings()
    is_export = options.output != STDOUT or options.chosen is not None
    if decided is not None:
        if is_export or version is not None:
            raise typer.BadParameter("--import goes with no --output, --format or --version")
        report = in_context(settings, lambda context: _follow(context, project, field, decided))
        _tell_followed(report, as_json=as_json)
        return
    most = limit or (_MOST if is_export else _SHOWN)
    asked = _Asked(project, field, status, most, version)
    if is_export:
        written = in_context(settings, lambda context: _export(context, asked, options))
        tell(written, "suspects", options)
        _tell_next(asked, options)
        return
    records, looked_for = in_context(settings, lambda context: _list(context, asked))
    for record in records:
        del record["decision"]
    if as_json:
        print_json(records)
    else:
        _print(records, looked_for, status)


def _print(records: list[Record], looked_for: dict[str, Any], status: SuspectStatus) -> None:
    from lexiclass_worker.admin.texts import excerpt

    if records:
        columns = (
            Column("document_id", "document"),
            prose("given_label", "label"),
            prose("suggested_label", "better"),
            "score",
            prose("reasons"),
            prose("text"),
        )
        rows = [{**record, "text": excerpt(record["text"], _EXCERPT)} for record in records]
        print_rows(columns, rows)
    else:
        console.print(f"No label that looks wrong is {status}.")
    console.print(
        f"version {looked_for['version']}: {looked_for['num_suspects']:,} labels looked wrong; of "
        f"{looked_for['num_documents']:,} documents it held {looked_for['num_held_out']:,} out, "
        f"of which about {looked_for['num_wrong']:,.0f} are labelled wrongly"
    )
    if records and status is SuspectStatus.OPEN:
        console.print("to have them looked at, write them to a file: --text --output suspects.csv")


def _tell_next(asked: _Asked, options: ExportOptions) -> None:
    """Say beside a file what annotators do with it."""
    if options.output == STDOUT or options.format is ExportFormat.LABEL_STUDIO:
        return
    words = shlex.join((asked.project, asked.field, "--import", str(options.output)))
    errors.print(
        "write the class that is right into its column `decision`, then: "
        f"lexiclass-worker labels suspects {words}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


async def _found(context: AdminContext, asked: _Asked) -> tuple[int, int, dict[str, Any]]:
    """Ids of project and field, and what the newest training says of labels."""
    from lexiclass_worker.admin import suspects

    project_id, field_id = await find_field(context.sessions, asked.project, asked.field)
    if asked.version is not None:
        await suspects.find_again(context, project_id, field_id, asked.version)
    async with context.sessions() as session:
        return project_id, field_id, await suspects.require_looked_for(session, field_id)


def _pages(
    context: AdminContext, asked: _Asked, project_id: int, field_id: int, *, with_text: bool
) -> AsyncGenerator[list[Record]]:
    from lexiclass_worker.admin import suspects

    return suspects.suspects(
        context, project_id, field_id, status=asked.status, limit=asked.limit, with_text=with_text
    )


async def _list(context: AdminContext, asked: _Asked) -> tuple[list[Record], dict[str, Any]]:
    from lexiclass_worker.admin.exporting import first

    project_id, field_id, looked_for = await _found(context, asked)
    pages = _pages(context, asked, project_id, field_id, with_text=True)
    return await first(pages, asked.limit), looked_for


async def _export(context: AdminContext, asked: _Asked, options: ExportOptions) -> ExportReport:
    from lexiclass.corpora import GUARDED
    from lexiclass_worker.repositories.prediction_rows import LabelFilter

    project_id, field_id, _ = await _found(context, asked)
    pages = _pages(context, asked, project_id, field_id, with_text=options.reads_texts)
    guarded = [GUARDED] if options.is_guarded else []
    wanted = LabelFilter(project_id=project_id, field_id=field_id)
    return await write(context, pages, wanted, [*_COLUMNS, *guarded], options)


async def _follow(context: AdminContext, project: str, field: str, decided: Path) -> DecisionReport:
    from lexiclass_core import versions
    from lexiclass_worker.admin.suspect_decisions import DecisionReport, follow, read_decisions

    report = DecisionReport()
    project_id, field_id = await find_field(context.sessions, project, field)
    async with context.sessions() as session:
        name = (await versions.require_field(session, field_id)).name
    max_bytes = context.settings.limits.document_bytes
    decisions = await asyncio.to_thread(read_decisions, decided, name, report, max_bytes=max_bytes)
    async with context.sessions.begin() as session:
        await follow(session, project_id, field_id, decisions, report)
    return report


def _tell_followed(report: DecisionReport, *, as_json: bool) -> None:
    figures = asdict(report)
    if as_json:
        print_json(figures)
    else:
        refusals = figures.pop("refusals")
        print_fields({name.removeprefix("num_"): number for name, number in figures.items()})
        if refusals:
            print_rows(("where", prose("reason")), refusals)
        if report.num_corrected:
            console.print("train again: models that are there have learned the labels of before")
    if report.num_refused:
        raise typer.Exit(EXIT_FAILED)
