"""Parameters of plugins on the command line: ``--param NAME=VALUE``, or a JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexiclass.cli.parameters import Params
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerParameters:
    """What a command says of the parameters of a tokenizer.

    Those in a JSON object give way to ``NAME=VALUE``.
    """

    param: Params = None
    tokenizer_param: Annotated[list[str] | None, _of("tokenizer", "tokenizer")] = None
    tokenizer_params: Annotated[str, _json_of("tokenizer")] = "{}"

    def read(self, **names: str | None) -> dict[PluginType, dict[str, Any]]:
        """The parameters of each plugin, typed by its schema if it is installed here.

        Those of a plugin that only the workers have are named with its place, and are JSON or text.

        The plugins are named by :class:`PluginType`; None where there is none.

        Raises:
            BadParameter: If there is no such parameter, or several have it, or it has no value, or
                one that its plugin refuses.
        """
        places = {PluginType(place): name for place, name in names.items()}
        parameters = {place: json_object(self._said(place, "params")) for place in places}
        assignments = list(self.param or ())
        for place in places:
            assignments += [f"{place}.{text}" for text in self._said(place, "param") or ()]
        if not assignments and not any(parameters.values()):
            return parameters

        from lexiclass.cli.parameters import assign
        from lexiclass.errors import InvalidParameters

        known, unknown = _find(places)
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

    def _said(self, place: PluginType, what: str) -> Any:
        option = "features" if place is PluginType.FEATURE_EXTRACTOR else place
        return getattr(self, f"{option}_{what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParameters(TokenizerParameters):
    """The same of a tokenizer and a feature extractor."""

    features_param: Annotated[list[str] | None, _of("feature extractor", "features")] = None
    features_params: Annotated[str, _json_of("features")] = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParameters(IndexParameters):
    """The same of every plugin of a pipeline."""

    classifier_param: Annotated[list[str] | None, _of("classifier", "classifier")] = None
    classifier_params: Annotated[str, _json_of("classifier")] = "{}"


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


def _find(plugins: dict[PluginType, str | None]) -> tuple[list[PluginInfo], list[PluginType]]:
    """The plugins that are known here, and the places of those that are not."""
    from lexiclass import PluginNotFound, default_registry

    registry = default_registry()
    known, unknown = [], []
    for place, name in plugins.items():
        if name is None:
            continue
        try:
            known.append(registry.get(place, name))
        except PluginNotFound:
            unknown.append(place)
    return known, unknown
