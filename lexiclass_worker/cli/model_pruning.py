"""``lexiclass-worker models prune``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.model_changes import By, Reason, author_of
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.cli.references import FieldWords, resolve_lone_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.pruning import Verdict


def prune(
    words: FieldWords,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Retire and remove all but so many of the newest ready ones too."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Remove the files of versions that failed or were retired, for good. The rows stay.

    The version that serves is kept, and those that open tasks name.
    """
    if as_json and not (yes or dry_run):
        raise typer.BadParameter("--json asks no questions: add --yes or --dry-run")
    from lexiclass_worker.admin import pruning

    settings, author = load_settings(), author_of(by, reason)
    field_id = resolve_lone_field(settings, words)
    plan = in_context(settings, lambda here: pruning.plan_pruning(here, field_id, keep=keep))
    if dry_run:
        print_json([asdict(verdict) for verdict in plan]) if as_json else _print_verdicts(plan)
        return
    doomed = [verdict for verdict in plan if verdict.outcome == "remove"]
    if not as_json and doomed and not yes:
        _print_verdicts(plan)
        typer.confirm(f"Remove the files of {len(doomed)} versions for good?", abort=True)
    done = in_context(settings, lambda here: pruning.prune(here, field_id, author, keep=keep))
    print_json([asdict(verdict) for verdict in done]) if as_json else _print_verdicts(done)


def _print_verdicts(verdicts: list[Verdict]) -> None:
    if not verdicts:
        console.print("no version has files")
        return
    rows = [
        {
            "version": verdict.version,
            "files": verdict.outcome,
            "why": verdict.reason,
            "size": decimal(verdict.size_bytes),
        }
        for verdict in verdicts
    ]
    print_rows(("version", "files", prose("why"), "size"), rows)
    freed = sum(verdict.size_bytes for verdict in verdicts if verdict.outcome == "removed")
    if freed:
        console.print(f"{decimal(freed)} are free again")
