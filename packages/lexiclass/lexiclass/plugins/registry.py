"""The plugins there are: built in, registered by a program, or installed by third parties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lexiclass.errors import InvalidParameters, PluginNotFound, PluginUnavailable
from lexiclass.locales import check_locale
from lexiclass.plugins.base import InputKind, Plugin, PluginContext, PluginType
from lexiclass.plugins.classic import adapt
from lexiclass.spec import PipelineSpec

P = TypeVar("P", bound=Plugin)
ParametersModel = type[BaseModel]


class NoParameters(BaseModel):
    """For plugins that have none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """What is known of a plugin before any of its code is imported.

    Attributes:
        name: How a pipeline asks for it.
        type: Its place in a pipeline.
        description: One line for people.
        implementation: The class, or ``"package.module:Class"`` to import it when first used. A
            native plugin derives from a class of :mod:`lexiclass.plugins.base`; any other class is
            taken for a classic one.
        parameters: Model of its parameters; it should forbid extra ones.
        input: What it is given.
        requires: Distributions that must be installed.
        install: What to ``pip install`` where one of them is not.
    """

    name: str
    type: PluginType
    description: str
    implementation: str | Callable[..., Any]
    parameters: ParametersModel = NoParameters
    input: InputKind = InputKind.TOKENS
    requires: tuple[str, ...] = ()
    install: str = ""

    def missing(self) -> tuple[str, ...]:
        """Return the required distributions that are not installed; imports none of them."""
        return tuple(name for name in self.requires if not _is_installed(name))

    def check_available(self) -> None:
        """Raise unless everything required is installed.

        Raises:
            PluginUnavailable: Naming what to install.
        """
        missing = self.missing()
        if missing:
            raise PluginUnavailable(
                f"The {self.type} {self.name!r} needs {', '.join(missing)}, not installed here. "
                f"Run: pip install '{self.install or ' '.join(missing)}'.",
                details={"type": self.type, "name": self.name, "missing": list(missing)},
            )

    def parse(self, parameters: Mapping[str, Any]) -> BaseModel:
        """Validate parameters and fill in defaults.

        Raises:
            InvalidParameters: Naming each parameter that is not acceptable and why.
        """
        try:
            return self.parameters.model_validate(dict(parameters))
        except ValidationError as error:
            problems = [
                {"parameter": ".".join(map(str, problem["loc"])), "problem": problem["msg"]}
                for problem in error.errors(include_url=False, include_context=False)
            ]
            listed = "; ".join(f"{p['parameter'] or '(all)'}: {p['problem']}" for p in problems)
            known = ", ".join(self.parameters.model_fields) or "none"
            raise InvalidParameters(
                f"Parameters of {self.type} {self.name!r}: {listed}. Known parameters: {known}.",
                details={"type": self.type, "name": self.name, "problems": problems},
            ) from error

    def create(self, parameters: Mapping[str, Any], context: PluginContext) -> Plugin:
        """Make a new, untrained plugin.

        Raises:
            PluginUnavailable: If it can't be imported here.
            InvalidParameters: If a parameter is not acceptable.
        """
        self.check_available()
        parsed = self.parse(parameters)
        implementation = self._import()
        if isinstance(implementation, type) and issubclass(implementation, Plugin):
            return implementation(parsed, context)  # type: ignore[call-arg]
        return adapt(self.type, self.name, implementation, parsed.model_dump(), context)

    def _import(self) -> Callable[..., Any]:
        if not isinstance(self.implementation, str):
            return self.implementation
        module, _, attribute = self.implementation.partition(":")
        try:
            loaded: Callable[..., Any] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginUnavailable(
                f"The {self.type} {self.name!r} can't be imported from {self.implementation!r}: "
                f"{error}.",
                details={"type": self.type, "name": self.name, "reason": str(error)},
            ) from error
        return loaded


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


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
                "input": str(info.input),
                "parameters": info.parameters.model_json_schema(),
                "available": not info.missing(),
                "missing": list(info.missing()),
                "install": info.install,
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
            The same pipeline with every parameter spelled out.

        Raises:
            PluginNotFound: If a plugin does not exist.
            PluginUnavailable: If what a plugin needs is not installed.
            InvalidParameters: If a parameter or the locale is not acceptable.
        """
        check_locale(spec.locale)
        spelled_out = {}
        for place in PluginType:
            info = self.get(place, getattr(spec, place))
            info.check_available()
            parameters = getattr(spec, f"{place}_params")
            spelled_out[f"{place}_params"] = info.parse(parameters).model_dump(mode="json")
        return spec.model_copy(update=spelled_out)

    def create(
        self, kind: type[P], name: str, parameters: Mapping[str, Any], context: PluginContext
    ) -> P:
        """Make a new, untrained plugin.

        Args:
            kind: ``Tokenizer``, ``FeatureExtractor`` or ``Classifier``.
            name: Its name.
            parameters: Its parameters; what is left out has the default.
            context: Locale and seed.

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
