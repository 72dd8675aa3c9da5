"""Parameters of plugins as fields of a form, made of the JSON schemas that workers publish."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from lexiclass_console.json_schema import (
    LONGEST_TEXT,
    Schema,
    alternatives,
    expected,
    fits,
    items_of,
    shown,
    values_of,
)
from lexiclass_core.db.values import object_of
from lexiclass_core.plugins import Plugin

Kind: TypeAlias = Literal["choice", "integer", "number", "list", "text", "json"]

_MOST_DIGITS: Final = 100
_NUMBERS: Final = {"integer", "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterField:
    """A parameter, as it is asked for.

    Attributes:
        name: Of the form's field, such as ``classifier_params.C``.
        default: As it is written in the field; empty where there is none, or it is null.
        choices: What can be chosen, as JSON and as people read it.
        expects: What is expected, for people.
    """

    name: str
    label: str
    description: str
    kind: Kind
    default: str
    choices: Sequence[tuple[str, str]]
    expects: str
    _schemas: Sequence[Schema] = field(repr=False)
    _default: Any = field(repr=False)
    _has_default: bool = field(repr=False)

    def read(self, text: str) -> Any:
        """The value that somebody has written; the default of an empty text.

        Raises:
            ValueError: If it is none that is expected; it says which one is.
        """
        written = text.strip()
        if not written and self._has_default:
            return self._default
        try:
            value = _read(self.kind, written)
            is_expected = any(fits(schema, value) for schema in self._schemas)
        except (ValueError, RecursionError, OverflowError):
            is_expected = False
        if not is_expected:
            raise ValueError(f"found {_cut(written)!r}; expected {self.expects}")
        return value

    def write(self, value: Any) -> str:
        """A value as it stands in the field."""
        return _written(self.kind, value)

    def is_default(self, value: Any) -> bool:
        """Whether a value need not be named; 1 and 1.0 are two values."""
        is_same_type = type(value) is type(self._default)
        return self._has_default and is_same_type and bool(value == self._default)


def fields_of(plugin: Plugin) -> list[ParameterField]:
    """The parameters of a plugin, in the order of its schema."""
    definitions = object_of(plugin.parameters.get("$defs"))
    return [
        _field(f"{plugin.type}_params.{name}", name, schema, definitions)
        for name, schema in plugin.properties.items()
        if isinstance(schema, dict)
    ]


def running(plugins: Sequence[Plugin]) -> list[Plugin]:
    """Of a tokenizer, a feature extractor and a classifier those that run.

    One that reads texts needs none before it.
    """
    stages: list[Plugin] = []
    for plugin in reversed(plugins):
        stages.insert(0, plugin)
        if plugin.input == "text":
            break
    return stages


def _field(name: str, label: str, schema: Schema, definitions: Schema) -> ParameterField:
    schemas = list(alternatives(schema, definitions))
    kind = _kind([each for each in schemas if each.get("type") != "null"])
    default = schema.get("default")
    choices = [(json.dumps(value), shown(value)) for each in schemas for value in values_of(each)]
    return ParameterField(
        name=name,
        label=label,
        description=str(schema.get("description", "")),
        kind=kind,
        default=_written(kind, default) if "default" in schema else "",
        choices=choices if kind == "choice" else [],
        expects=" or ".join(map(expected, schemas)),
        _schemas=schemas,
        _default=default,
        _has_default="default" in schema,
    )


def _kind(schemas: Sequence[Schema]) -> Kind:
    types = {str(each.get("type")) for each in schemas}
    if schemas and all(values_of(each) for each in schemas):
        return "choice"
    if types == {"integer"}:
        return "integer"
    if types and types <= _NUMBERS:
        return "number"
    if types == {"string"} and len(schemas) == 1:
        return "text"
    if types == {"array"} and all(
        item.get("type") in _NUMBERS for each in schemas for item in items_of(each)
    ):
        return "list"
    return "json"


def _read(kind: Kind, text: str) -> Any:
    match kind:
        case "integer" | "number":
            return _read_number(text)
        case "list":
            return [_read_number(part.strip()) for part in text.strip("[]()").split(",")]
        case "text":
            return text
        case "choice":
            return json.loads(text)
        case "json":
            return _read_json(text)


def _read_json(text: str) -> Any:
    if len(text) > LONGEST_TEXT:
        raise ValueError("a parameter is shorter")
    try:
        return json.loads(text)
    except ValueError:
        # A word without its quotation marks.
        return text


def _read_number(text: str) -> int | float | None:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number has fewer digits")
    if text == "null":
        return None
    return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)


def _written(kind: Kind, value: Any) -> str:
    if value is None and kind != "choice":
        return ""
    if kind == "text":
        return str(value)
    if kind == "list" and isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]} ..."
