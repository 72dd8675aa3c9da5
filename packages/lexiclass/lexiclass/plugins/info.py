"""What is known of a plugin before any of its code is imported."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from lexiclass.errors import InvalidParameters, PluginUnavailable
from lexiclass.installed import is_installed
from lexiclass.plugins.base import InputKind, Plugin, PluginContext, PluginType, RowKind
from lexiclass.plugins.classic.adapters import adapt
from lexiclass.plugins.parameters import Parameters

ParametersModel = type[BaseModel]

_USUAL_INPUT = {
    PluginType.TOKENIZER: InputKind.TEXT,
    PluginType.FEATURE_EXTRACTOR: InputKind.TOKENS,
    PluginType.CLASSIFIER: InputKind.FEATURES,
}


class NoParameters(Parameters):
    """For plugins that have none."""


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
        input: What it is given, where that is not the usual: text for a tokenizer, tokens for a
            feature extractor, features for a classifier.
        gives: What a feature extractor returns.
        takes: The kinds of rows a classifier can learn from, where it reads features.
        training_unit: What a classifier counts its training in, in the plural.
        multi_label: Whether a classifier can give a document any number of classes.
        requires: Distributions that must be installed; ``a>=1.2 | b`` is met by either.
        install: What to ``pip install`` where one of them is not; of a distribution that is in no
            registry its folder, as whatever has its name there is another's.
    """

    name: str
    type: PluginType
    description: str
    implementation: str | Callable[..., Any]
    parameters: ParametersModel = NoParameters
    input: InputKind | None = None
    gives: RowKind = RowKind.SPARSE
    takes: frozenset[RowKind] = frozenset(RowKind)
    training_unit: str = "steps"
    multi_label: bool = False
    requires: tuple[str, ...] = ()
    install: str = ""

    @property
    def reads(self) -> InputKind:
        """What it is given."""
        return _USUAL_INPUT[self.type] if self.input is None else self.input

    def missing(self) -> tuple[str, ...]:
        """Return the required distributions that are not installed; imports none of them."""
        return tuple(name for name in self.requires if not is_installed(name))

    @property
    def install_command(self) -> str:
        """What to run where something required is missing; empty where nothing is."""
        missing = [requirement.partition("|")[0].strip() for requirement in self.missing()]
        wanted = [self.install] if self.install else missing
        return shlex.join(("pip", "install", *wanted)) if missing else ""

    def check_available(self) -> None:
        """Raise unless everything required is installed.

        Raises:
            PluginUnavailable: Naming what to install.
        """
        missing = self.missing()
        if missing:
            raise PluginUnavailable(
                f"The {self.type} {self.name!r} needs {', '.join(missing)}, not installed here. "
                f"Run: {self.install_command}.",
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
            raise InvalidParameters.of(
                f"{self.type} {self.name!r}",
                error,
                known=self.parameters.model_fields,
                details={"type": self.type, "name": self.name},
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
