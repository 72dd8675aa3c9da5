"""``lexiclass-worker config ...``."""

from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr

from lexiclass_worker.cli.output import AsJson, print_json, print_rows
from lexiclass_worker.config import Settings, Variable, list_variables, load_settings
from lexiclass_worker.telemetry.redaction import Redactor

app = typer.Typer(help="The settings.", no_args_is_help=True)

_HEADER = """\
# Configuration

Every setting, from the environment or a `.env` file in the working directory. Each `NAME` can also
be given as `NAME_FILE`, a file that holds the value. A variable that begins like one of these and
names none of them is refused at start.

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
    settings = load_settings()
    redact = Redactor(settings.secrets)
    rows = [
        {
            "variable": variable.name,
            "value": redact(_value(settings, variable)),
            "meaning": variable.description,
        }
        for variable in list_variables()
    ]
    print_json(rows) if as_json else print_rows(("variable", "value", "meaning"), rows)


def markdown() -> str:
    """docs/CONFIGURATION.md."""
    lines = (
        f"| {variable.name} | {variable.default and f'`{variable.default}`'} "
        f"| {variable.description} |\n"
        for variable in list_variables()
    )
    return _HEADER + "".join(lines)


def _value(settings: Settings, variable: Variable) -> str:
    value: Any = settings
    for name in variable.name.lower().split("__"):
        value = getattr(value, name) if isinstance(value, BaseModel) else None
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "" if value is None else str(value)
