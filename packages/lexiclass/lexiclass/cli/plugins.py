"""``lexiclass plugins ...``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lexiclass.cli.output import AsJson, console, print_fields, print_json, print_rows
from lexiclass.cli.tables import prose
from lexiclass.errors import PluginNotFound
from lexiclass.plugins.plugin_type import PluginType

if TYPE_CHECKING:
    from lexiclass.plugins.info import PluginInfo
    from lexiclass.plugins.registry import Registry

app = typer.Typer(help="Tokenizers, feature extractors and classifiers.", no_args_is_help=True)


@app.command("list")
def list_plugins(
    plugin_type: Annotated[
        PluginType | None, typer.Option("--type", help="Only plugins of this type.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the plugins, whether they can be used here, and what to install if not."""
    from lexiclass.plugins.builtin import default_registry

    described = [
        plugin
        for plugin in default_registry().describe()
        if plugin_type is None or plugin["type"] == plugin_type
    ]
    if as_json:
        print_json(described)
        return
    rows = [
        {
            "type": plugin["type"],
            "name": plugin["name"],
            "available": plugin["available"],
            "description": plugin.get("description", plugin.get("reason")),
            "to use it, run": plugin.get("install_command", ""),
        }
        for plugin in described
    ]
    print_rows(("type", "name", "available", prose("description"), "to use it, run"), rows)


@app.command()
def describe(
    name: Annotated[str | None, typer.Argument(help="Name of a plugin; all if not given.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what plugins do and which parameters they have."""
    from lexiclass.cli.reference import to_markdown
    from lexiclass.plugins.builtin import default_registry

    registry = default_registry()
    infos = _named(registry, name)
    if as_json:
        chosen = {(str(info.type), info.name) for info in infos}
        print_json([p for p in registry.describe() if (p["type"], p["name"]) in chosen])
    elif markdown:
        typer.echo("\n".join(map(to_markdown, infos)), nl=False)
    else:
        for info in infos:
            _print(info)


def _named(registry: Registry, name: str | None) -> list[PluginInfo]:
    infos = [info for info in registry.list() if name is None or info.name == name]
    if name is not None and not infos:
        raise PluginNotFound("plugin", name, sorted({info.name for info in registry.list()}))
    return infos


def _print(info: PluginInfo) -> None:
    from lexiclass.cli.reference import parameters_of

    console.print(f"[bold]{escape(info.type)} {escape(info.name)}[/]: {escape(info.description)}")
    missing = info.missing()
    fields = {"reads": str(info.reads), "available": not missing}
    if missing:
        fields |= {"missing": ", ".join(missing), "to use it, run": info.install_command}
    print_fields(fields)
    rows = [parameter._asdict() for parameter in parameters_of(info)]
    if rows:
        print_rows(("name", prose("type"), prose("default"), prose("description")), rows)
