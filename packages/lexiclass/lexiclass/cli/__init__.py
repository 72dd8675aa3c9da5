"""``lexiclass ...``: train, evaluate and use models; files in, files out.

Results go to standard output, as a table for people or as JSON with ``--json``; progress and
errors go to standard error. Exit status 0 is done, 1 is failed, 2 is wrong usage.
"""

from __future__ import annotations

import sys
from typing import Final, NoReturn

from rich.markup import escape

from lexiclass.cli.commands import lazy_app
from lexiclass.cli.output import EXIT_FAILED, EXIT_USAGE, errors
from lexiclass.errors import InvalidParameters, LexiClassError, PluginNotFound

_COMMANDS: Final = {
    "train": "lexiclass.cli.train:train",
    "evaluate": "lexiclass.cli.evaluate:evaluate",
    "predict": "lexiclass.cli.predict:predict",
    "index": "lexiclass.cli.index:index",
    "similar": "lexiclass.cli.similar:similar",
    "duplicates": "lexiclass.cli.duplicates:duplicates",
    "suspects": "lexiclass.cli.suspects:suspects",
    "plugins": "lexiclass.cli.plugins:app",
}

app = lazy_app(
    _COMMANDS,
    distributions=("lexiclass",),
    name="lexiclass",
    help="Classify documents: train, evaluate and use models; files in, files out.",
    add_completion=False,
)


def main() -> None:
    """Entry point: every expected failure ends in one line on standard error."""
    try:
        app()
    except (InvalidParameters, PluginNotFound) as error:  # what the command line says is wrong
        _fail(error.code, error.message, EXIT_USAGE)
    except LexiClassError as error:
        _fail(error.code, error.message, EXIT_FAILED)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        place = "" if error.filename is None else f" {str(error.filename)!r}"
        _fail("STORAGE_ERROR", f"{reason}{place}", EXIT_FAILED)


def _fail(code: str, message: str, status: int) -> NoReturn:
    line = escape(f"{code}: {' '.join(message.split())}")
    errors.print(f"[bold red]error:[/] {line}", highlight=False, soft_wrap=True)
    sys.exit(status)
