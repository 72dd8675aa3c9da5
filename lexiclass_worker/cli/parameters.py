"""Plugin parameters on the command line."""

import json
from typing import Any

import typer


def json_object(text: str) -> dict[str, Any]:
    """The object that an option holds as JSON.

    Raises:
        BadParameter: If it holds anything else.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("expected a JSON object such as '{\"C\": 2}'")
    return value
