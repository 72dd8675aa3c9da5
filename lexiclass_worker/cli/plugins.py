"""``lexiclass-worker plugins ...``."""

import typer

from lexiclass import default_registry
from lexiclass_worker.cli.output import AsJson, print_json, print_rows

app = typer.Typer(help="Tokenizers, feature extractors and classifiers.", no_args_is_help=True)


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins, whether they can be used here, and what to install if not."""
    described = default_registry().describe()
    if as_json:
        print_json(list(described))
        return
    rows = [
        {
            "type": plugin["type"],
            "name": plugin["name"],
            "available": "yes" if plugin["available"] else "no",
            "description": plugin.get("description", plugin.get("reason")),
            "to install": "" if plugin["available"] else plugin.get("install", ""),
        }
        for plugin in described
    ]
    print_rows(("type", "name", "available", "description", "to install"), rows)
