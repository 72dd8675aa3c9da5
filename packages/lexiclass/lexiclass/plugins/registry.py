"""The plugins there are: built in, registered by a program, or installed by third parties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lexiclass.errors import InvalidParameters, PluginNotFound, PluginUnavailable
from lexiclass.locales import check_locale
from lexiclass.plugins.base import Plugin, PluginContext, PluginType
from lexiclass.plugins.combinations import (
    Combination,
    check_combination,
    describe_rows,
    find_combinations,
    running_stages,
)
from lexiclass.plugins.info import PluginInfo
from lexiclass.spec import PipelineSpec

P = TypeVar("P", bound=Plugin)


@dataclass(slots=True, eq=False)
class Registry:
    """Plugins by type and name.

    Attributes:
        broken: Entry points that could not be loaded, and why; see
            :func:`lexiclass.plugins.entry_points.load_entry_points`.
    """

    broken: dict[str, str] = field(default_factory=dict)
    _plugins: dict[tuple[PluginType, str], PluginInfo] = field(default_factory=dict)

    def register(self, info: PluginInfo) -> None:
        """Add a plugin.

        Raises:
            InvalidParameters: If there is one of that type and name.
        """
        key = (info.type, info.name)
        if key in self._plugins:
            raise InvalidParameters(
                f"There already is a {info.type} named {info.name!r}; choose another name.",
                details={"type": info.type, "name": info.name},
            )
        self._plugins[key] = info

    def get(self, plugin_type: PluginType, name: str) -> PluginInfo:
        """Return a plugin's description.

        Raises:
            PluginUnavailable: If it comes from an entry point that could not be loaded.
            PluginNotFound: If there is none; it lists those there are.
        """
        info = self._plugins.get((plugin_type, name))
        if info is not None:
            return info
        if name in self.broken:
            raise PluginUnavailable(
                f"The {plugin_type} {name!r} is installed but can't be loaded: "
                f"{self.broken[name]}. Repair or update the package it comes from.",
                details={"type": plugin_type, "name": name, "reason": self.broken[name]},
            )
        raise PluginNotFound(plugin_type, name, [info.name for info in self.list(plugin_type)])

    def list(self, plugin_type: PluginType | None = None) -> tuple[PluginInfo, ...]:
        """Return the plugins of one type, or of all, in order of type and name."""
        wanted = PluginType if plugin_type is None else (plugin_type,)
        return tuple(
            self._plugins[key]
            for place in wanted
            for key in sorted(self._plugins)
            if key[0] == place
        )

    def describe(self) -> tuple[dict[str, Any], ...]:
        """Return everything known of every plugin, as JSON; broken ones have no type."""
        known = (
            {
                "name": info.name,
                "type": str(info.type),
                "description": info.description,
                "input": str(info.reads),
                **describe_rows(info),
                "parameters": info.parameters.model_json_schema(),
                "available": not info.missing(),
                "missing": list(info.missing()),
                "install": info.install,
                "install_command": info.install_command,
            }
            for info in self.list()
        )
        broken = (
            {"name": name, "type": None, "available": False, "reason": reason}
            for name, reason in sorted(self.broken.items())
        )
        return (*known, *broken)

    def validate(self, spec: PipelineSpec) -> PipelineSpec:
        """Check that a pipeline can be made, before any work; imports nothing heavy.

        Returns:
            The same pipeline with every parameter of the stages that run spelled out.

        Raises:
            PluginNotFound: If a plugin does not exist.
            PluginUnavailable: If what a plugin needs is not installed.
            InvalidParameters: If a parameter or the locale is not acceptable, or the plugins do
                not go together; it says why, and what would.
        """
        check_locale(spec.locale)
        stages = self.stages(spec)
        check_combination(self.list(), spec, stages)
        spelled_out = {}
        for place in PluginType:
            parameters = getattr(spec, f"{place}_params")
            if place in stages:
                info = stages[place]
                info.check_available()
                spelled_out[f"{place}_params"] = info.parse(parameters).model_dump(mode="json")
            else:
                spelled_out[f"{place}_params"] = {}
        return spec.model_copy(update=spelled_out)

    def stages(self, spec: PipelineSpec) -> dict[PluginType, PluginInfo]:
        """Return the plugins of the stages that run, in order.

        A classifier that reads texts skips the tokenizer and the feature extractor, a feature
        extractor that reads texts skips the tokenizer. What is skipped is not even looked up.

        Raises:
            PluginNotFound: If a plugin does not exist.
            PluginUnavailable: If it comes from an entry point that could not be loaded.
        """
        needed = running_stages(lambda place: self.get(place, getattr(spec, place)))
        return {info.type: info for info in needed}

    def combinations(self, *, multi_label: bool = False) -> tuple[Combination, ...]:
        """Return all pipelines that can be made of these plugins, installed here or not.

        With ``multi_label`` those that can give a document any number of classes.
        """
        return find_combinations(self.list(), multi_label=multi_label)

    def create(
        self, kind: type[P], name: str, parameters: Mapping[str, Any], context: PluginContext
    ) -> P:
        """Make a new, untrained plugin of a kind; parameters left out have their defaults.

        Raises:
            PluginNotFound: If there is none of that name.
            PluginUnavailable: If it can't be used here.
            InvalidParameters: If a parameter is not acceptable.
        """
        plugin = self.get(kind.place, name).create(parameters, context)
        if not isinstance(plugin, kind):
            raise PluginUnavailable(
                f"The {kind.place} {name!r} is a {type(plugin).__name__}, which does not derive "
                f"from {kind.__name__}. Repair the package it comes from.",
                details={"type": kind.place, "name": name, "reason": "wrong class"},
            )
        return plugin
