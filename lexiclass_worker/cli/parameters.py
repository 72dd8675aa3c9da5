"""Parameters of plugins on the command line: ``--param NAME=VALUE``, or a JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lexiclass.cli.parameters import Params as Params  # noqa: PLC0414 - exported
from lexiclass.plugins.plugin_type import PluginType

if TYPE_CHECKING:
    from lexiclass.plugins.info import PluginInfo


def _of(place: str, option: str) -> Any:
    return typer.Option(
        f"--{option}-param", metavar="NAME=VALUE", help=f"The same, of the {place} only."
    )


def _json_of(option: str) -> Any:
    # From before there was --param; scripts that have a JSON object at hand use it.
    return typer.Option(f"--{option}-params", metavar="JSON", hidden=True)


TokenizerParam = Annotated[list[str] | None, _of("tokenizer", "tokenizer")]
FeaturesParam = Annotated[list[str] | None, _of("feature extractor", "features")]
ClassifierParam = Annotated[list[str] | None, _of("classifier", "classifier")]
TokenizerJson = Annotated[str, _json_of("tokenizer")]
FeaturesJson = Annotated[str, _json_of("features")]
ClassifierJson = Annotated[str, _json_of("classifier")]


class Given(NamedTuple):
    """What a command says of one plugin.

    Attributes:
        name: The plugin's; None where there is none.
        assignments: ``NAME=VALUE``, of this plugin.
        as_json: A JSON object, whose parameters the assignments go before.
    """

    name: str | None
    assignments: Sequence[str] | None
    as_json: str


def read_parameters(
    param: Sequence[str] | None, **given: Given
) -> dict[PluginType, dict[str, Any]]:
    """The parameters of each plugin, typed by its schema if it is installed here.

    Those of a plugin that only the workers have are named with its place, and are JSON or text.

    Args:
        param: ``NAME=VALUE`` of any of the plugins.
        **given: What is said of each, by the :class:`PluginType`.

    Raises:
        BadParameter: If there is no such parameter, or several have it, or it has no value, or one
            that its plugin refuses.
    """
    plugins = {PluginType(place): what for place, what in given.items()}
    parameters = {place: json_object(what.as_json) for place, what in plugins.items()}
    assignments = list(param or ())
    for place, what in plugins.items():
        assignments += [f"{place}.{text}" for text in what.assignments or ()]
    if not assignments and not any(parameters.values()):
        return parameters

    from lexiclass.cli.parameters import assign
    from lexiclass.errors import InvalidParameters

    known, unknown = _find(plugins)
    try:
        assigned = assign(known, assignments, untyped=unknown)
        given_to = {
            place: {**found, **assigned.get(place, {})} for place, found in parameters.items()
        }
        for plugin in known:
            plugin.parse(given_to[plugin.type])
    except InvalidParameters as error:
        raise typer.BadParameter(error.message) from error
    return given_to


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


def _find(plugins: dict[PluginType, Given]) -> tuple[list[PluginInfo], list[PluginType]]:
    """The plugins that are known here, and the places of those that are not."""
    from lexiclass import PluginNotFound, default_registry

    registry = default_registry()
    known, unknown = [], []
    for place, what in plugins.items():
        if what.name is None:
            continue
        try:
            known.append(registry.get(place, what.name))
        except PluginNotFound:
            unknown.append(place)
    return known, unknown
