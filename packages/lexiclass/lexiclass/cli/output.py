"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from lexiclass.cli.fields import render_fields
from lexiclass.cli.tables import GAP, Column, render_rows
from lexiclass.cli.values import harmless, to_json

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# A pipe or a file has no width: a record is a line there, however long, unless COLUMNS says more.
_NO_LIMIT: Final = 1_000_000


class _Console(Console):
    """Prints texts of whoever writes documents, names and messages as what they are: text."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, with what terminals act upon as escapes."""
        shown = (harmless(each) if isinstance(each, str) else each for each in objects)
        super().print(*shown, **options)


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() else shutil.get_terminal_size((_NO_LIMIT, 24)).columns
    return _Console(stderr=stderr, width=width)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


def print_json(value: object) -> None:
    """Print a value as indented JSON; times as ISO 8601."""
    typer.echo(to_json(value))


def print_rows(
    columns: Sequence[str | Column],
    rows: Iterable[Mapping[str, Any]],
    *,
    title: str | None = None,
    gap: int = GAP,
) -> None:
    """Print a table with the named columns of each row, the most important first."""
    if title is not None:
        print_text(f"[bold]{escape(title)}")
    _print_lines(render_rows(columns, rows, console, gap=gap))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, a line each; what is nested, indented."""
    _print_lines(render_fields(fields, console))


def print_report(report: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command did."""
    if as_json:
        print_json(dict(report))
    else:
        said = {name: value for name, value in report.items() if value not in ({}, [], None)}
        print_fields({name.replace("_", " "): value for name, value in said.items()})


def print_text(markup: str) -> None:
    """Print prose, wrapped between words where there is a width; Rich's markup is understood."""
    console.print(markup, highlight=False)


def rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of stages, to the millisecond."""
    return {stage: round(duration, 3) for stage, duration in seconds.items()}


def warn(message: str) -> None:
    """Say something on standard error that does not stop the work."""
    line = escape(" ".join(message.split()))
    errors.print(f"[bold yellow]warning:[/] {line}", highlight=False, soft_wrap=True)


def _print_lines(lines: Iterator[Text]) -> None:
    console.print(Text("\n").join(lines), highlight=False, soft_wrap=True)
