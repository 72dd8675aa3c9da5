"""The settings as people may see them: passwords and other secrets are hidden."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from lexiclass_core.storable import storable
from lexiclass_worker.config import Settings, Variable, list_variables, shown


def shown_settings(settings: Settings) -> dict[str, str]:
    """The value of every setting by its variable; an empty text for one that is not set."""
    return {
        variable.name: settings.redact(_value(settings, variable)) for variable in list_variables()
    }


def published_settings(settings: Settings) -> Mapping[str, Any]:
    """What :mod:`lexiclass_core.worker_settings` reads."""
    values = shown_settings(settings)
    return {
        variable.name: {
            # A path may have bytes that no database takes.
            "value": storable(values[variable.name]),
            "default": variable.default,
            "meaning": variable.description,
        }
        for variable in list_variables()
    }


def _value(settings: Settings, variable: Variable) -> str:
    value: Any = settings
    for name in variable.name.lower().split("__"):
        value = getattr(value, name) if isinstance(value, BaseModel) else None
    if isinstance(value, SecretStr):
        value = shown(value)
    return "" if value is None else str(value)
