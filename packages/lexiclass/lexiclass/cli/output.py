"""What commands print: tables for people, JSON for programs, progress for whoever waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final, TextIO

import typer
from rich import progress
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lexiclass.stages import Progress

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# Rich takes a pipe or a log to be 80 columns wide, which cuts tables that fit anywhere.
_PIPE_WIDTH: Final = 140


def _console(stream: TextIO, *, stderr: bool) -> Console:
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPE_WIDTH)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table with the named columns of each row."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*(show(row[column]) for column in columns))
    console.print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        table.add_row(f"[bold]{escape(name.replace('_', ' '))}", show(value))
    console.print(table)


def print_report(report: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command did."""
    if as_json:
        print_json(dict(report))
    else:
        print_fields({name: value for name, value in report.items() if value not in ({}, None)})


def rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of stages, to the millisecond."""
    return {stage: round(duration, 3) for stage, duration in seconds.items()}


def warn(message: str) -> None:
    """Say something on standard error that does not stop the work."""
    line = escape(" ".join(message.split()))
    errors.print(f"[bold yellow]warning:[/] {line}", highlight=False, soft_wrap=True)


def show(value: object) -> str:
    """A value as people read it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case dict():
            return ", ".join(f"{escape(str(name))} {show(part)}" for name, part in value.items())
        case _:
            return escape(str(value))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show stages on standard error, if somebody watches, for the time of a ``with`` block."""
    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,.0f}"),
        progress.TimeElapsedColumn(),
    )
    shown: dict[str, progress.TaskID] = {}
    with progress.Progress(*columns, console=errors, disable=not sys.stderr.isatty()) as bars:

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                shown[stage] = bars.add_task(stage)
            bars.update(shown[stage], completed=done, total=total)

        yield tell
