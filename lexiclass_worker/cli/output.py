"""What commands print: as those of the library do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from lexiclass.cli.output import (
    EXIT_FAILED,
    EXIT_USAGE,
    AsJson,
    console,
    errors,
    print_fields,
    print_json,
    print_rows,
    print_text,
    warn,
)
from lexiclass.cli.tables import Column, prose
from lexiclass.cli.values import duration
from lexiclass.cli.values import show as _show

__all__ = [
    "EXIT_FAILED",
    "EXIT_USAGE",
    "AsJson",
    "Column",
    "console",
    "duration",
    "errors",
    "print_fields",
    "print_json",
    "print_rows",
    "print_text",
    "prose",
    "show",
    "told_beside",
    "warn",
]


@contextmanager
def told_beside(*, as_json: bool) -> Iterator[None]:
    """Tell people on standard error what happens, where a program reads JSON from the output."""
    before = console.file
    if as_json:
        console.file = sys.stderr
    try:
        yield
    finally:
        console.file = before


def show(value: object) -> str:
    """A value as people read it, for a line with Rich's markup."""
    return escape(_show(value))
