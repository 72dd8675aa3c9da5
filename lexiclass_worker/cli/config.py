"""``lexiclass-worker config ...``."""

from typing import Annotated

import typer
from rich.markup import escape

from lexiclass_worker.cli.output import AsJson, errors, print_json, print_rows, prose
from lexiclass_worker.config import (
    list_variables,
    load_settings_as_they_are,
    unknown_variables,
    unverified_connections,
)
from lexiclass_worker.shown_settings import shown_settings

app = typer.Typer(help="The settings.", no_args_is_help=True)

_HEADER = """\
# Configuration

Every setting, from the environment or a `.env` file in the working directory, in UTF-8, UTF-16 or
UTF-32. Each `NAME` can also be given as `NAME_FILE`, a file that holds the value. In `.env` a value
stands bare or between single quotes, in which only `\\\\` and `\\'` are escapes; between double
quotes `\\n` is a line feed, which no setting may hold. A line that cannot be read is refused by its
number.

A name that is nearly one of these is refused at start where it can be nothing else, as one of a
group, or `STORAGE_BASE_PATH`. One that may be another program's, such as `DATABASE_URL`, is warned
of, in the log and by `lexiclass-worker check`. `lexiclass-worker config show` names both.

[CONNECTIONS.md](CONNECTIONS.md) says what the URLs may be.

| variable | default | meaning |
|---|---|---|
"""


@app.command("show")
def show(
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print docs/CONFIGURATION.md instead.")
    ] = False,
) -> None:
    """Show every setting, its value (passwords hidden) and what it means."""
    if as_markdown:
        typer.echo(markdown(), nl=False)
        return
    settings, error = load_settings_as_they_are()
    problems = {} if error is None else error.problems
    values = shown_settings(settings)
    rows = [
        {
            "variable": variable.name,
            "value": f"invalid: {problems[variable.name]}"
            if variable.name in problems
            else values[variable.name],
            "meaning": variable.description,
        }
        for variable in list_variables()
    ]
    if as_json:
        print_json(rows)
    else:
        print_rows(("variable", prose("value"), prose("meaning")), rows)
    for name, reason in unverified_connections(settings).items():
        errors.print(f"{name}: {reason}", highlight=False, soft_wrap=True)
    _print_unknown()
    if error is not None:
        raise error


def _print_unknown() -> None:
    for unknown in unknown_variables():
        kind = "no such setting, other commands refuse it" if unknown.is_ours else "not a setting"
        errors.print(f"{kind}: {escape(str(unknown))}", highlight=False, soft_wrap=True)


def markdown() -> str:
    """docs/CONFIGURATION.md."""
    lines = (
        f"| {variable.name} | {variable.default and f'`{variable.default}`'} "
        f"| {variable.description} |\n"
        for variable in list_variables()
    )
    return _HEADER + "".join(lines)
