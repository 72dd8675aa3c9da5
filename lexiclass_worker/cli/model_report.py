"""``lexiclass-worker models report``: what an evaluation found, and where its page is."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.output import AsJson, console, print_json, print_text
from lexiclass_worker.cli.references import VersionWords, resolve_lone_field, split_version
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass.report.model import Finding
    from lexiclass_worker.admin.reports import KeptReport

Open = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]

_COLORS: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold"}


def report(words: VersionWords, opens: Open = False, as_json: AsJson = False) -> None:
    """Show the report of a version's latest evaluation: verdict, findings, where its page is."""
    from lexiclass_worker.admin.reports import read_report

    named, version = split_version(words)
    settings = load_settings()
    field_id = resolve_lone_field(settings, named)
    kept = in_context(settings, lambda context: read_report(context, field_id, version))
    if as_json:
        print_json({"location": kept.location, "report": kept.report.model_dump(mode="json")})
    else:
        _print(kept)
    if opens:
        _open(kept)


def _print(kept: KeptReport) -> None:
    report = kept.report
    print_text(f"[bold]{escape(report.model.name)}[/] on {escape(report.test_set.name)}")
    print_text(escape(report.verdict))
    for finding in report.findings:
        _print_finding(finding)
    console.print(kept.location, markup=False, highlight=False, soft_wrap=True)


def _print_finding(finding: Finding) -> None:
    color = _COLORS[finding.level]
    print_text(f"[{color}]{finding.code} {finding.level}[/]: {escape(finding.message)}")
    print_text(f"  {escape(finding.advice)}")


def _open(kept: KeptReport) -> None:
    """Open the page, or a copy of one in an object store, in a folder for this account alone."""
    if kept.page is None:
        raise typer.BadParameter("the report has no page: evaluate the version again")
    path = Path(kept.location)
    if "://" in kept.location:
        path = Path(mkdtemp(prefix="lexiclass-report-")) / "report.html"
        path.write_bytes(kept.page)
        console.print(f"copied to {path}", markup=False, highlight=False, soft_wrap=True)
    if not webbrowser.open(path.absolute().as_uri()):
        raise typer.BadParameter(f"no browser was found: open {path} in one")
