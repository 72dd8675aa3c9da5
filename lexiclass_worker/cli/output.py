"""What commands print: tables for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# Rich takes a pipe or a log to be 80 columns wide, which cuts tables that fit anywhere.
_PIPE_WIDTH: Final = 140

# All but tab and line feed: whoever writes a message or a name may write a terminal's commands.
_CONTROL: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _console(stream: TextIO, *, stderr: bool) -> Console:
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPE_WIDTH)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


def print_json(value: object) -> None:
    """Print a value as indented JSON; times as ISO 8601."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable)
    # A lone surrogate, which no encoding has, is what JSON writes as this very escape.
    typer.echo(text.encode(errors="backslashreplace").decode())


def print_rows(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, title: str | None = None
) -> None:
    """Print a table with the named columns of each row."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(show(row[column]) for column in columns))
    console.print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        table.add_row(f"[bold]{escape(name)}", show(value))
    console.print(table)


def show(value: object) -> str:
    """A value as people read it."""
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case float():
            return f"{value:.4g}"
        case dict() | list():
            return _shown(json.dumps(value, ensure_ascii=False, default=_jsonable))
        case _:
            return _shown(str(value))


def _shown(text: str) -> str:
    """A text for a table; what terminals act upon, or cannot encode, as escapes."""
    harmless = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return escape(harmless)


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
