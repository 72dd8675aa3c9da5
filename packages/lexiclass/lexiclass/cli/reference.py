"""Parameters of a plugin as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lexiclass.plugins.info import PluginInfo

_LIMITS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
}


# More are a list of what is installed, and no choice that people learn by heart.
_MOST_CHOICES = 20


class Parameter(NamedTuple):
    """One parameter: what it is called, may be, is if not given, and does."""

    name: str
    type: str
    default: str
    description: str


def parameters_of(info: PluginInfo) -> Iterator[Parameter]:
    """List the parameters of a plugin."""
    schema = info.parameters.model_json_schema()
    definitions = schema.get("$defs", {})
    required = schema.get("required", ())
    for name, found in schema.get("properties", {}).items():
        default = "required" if name in required else json.dumps(found.get("default"))
        yield Parameter(name, _type(found, definitions), default, found.get("description", ""))


def to_markdown(info: PluginInfo) -> str:
    """Return a section about a plugin: what it does, what it needs, its parameters."""
    lines = [f"### {info.type} `{info.name}`", "", f"{info.description}. Reads {info.reads}."]
    if info.install:
        lines += ["", f"Needs `pip install '{info.install}'`."]
    parameters = list(parameters_of(info))
    if parameters:
        lines += ["", "| parameter | type | default | meaning |", "|---|---|---|---|"]
        for row in parameters:
            cells = (f"`{row.name}`", row.type, f"`{row.default}`", row.description)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    else:
        lines += ["", "It has no parameters."]
    return "\n".join(lines) + "\n"


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Say a JSON schema in a few words."""
    limits = [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema]
    return " ".join((_kind(schema, definitions), " and ".join(limits))).strip()


def _kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            return _type(definitions[reference.rsplit("/", 1)[-1]], definitions)
        case {"anyOf": options}:
            return " or ".join(_type(option, definitions) for option in options)
        case {"enum": values} if len(values) <= _MOST_CHOICES:
            return " or ".join(map(json.dumps, values))
        case {"const": value}:
            return json.dumps(value)
        case {"type": "array", "prefixItems": items}:
            return f"[{', '.join(_type(item, definitions) for item in items)}]"
        case {"type": "array", "items": item}:
            return f"list of {_type(item, definitions)}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            return f"object of {_type(values, definitions)}"
        case _:
            return str(schema.get("type", "any"))
