"""The plugins of the workers, as these say."""

from __future__ import annotations

import json
from typing import Any, Final

from lexiclass_console.serving import Page, View
from lexiclass_core.plugins import PLACES, Plugin, list_plugins

_KEYS_OF_KINDS: Final = ("anyOf", "allOf", "oneOf")

# The form of a training lists more.
_MOST_CHOICES: Final = 20


async def show(view: View) -> Page:
    """Each plugin with its parameters, in the order of a pipeline."""
    published = await list_plugins(view.session)
    return Page(
        template="plugins.html",
        values={
            "published": published,
            "places": {
                place: [each for each in published.plugins if each.plugin.type == place]
                for place in PLACES
            },
            "broken": [each for each in published.plugins if each.plugin.type not in PLACES],
            "parameters": _parameters,
        },
    )


def _parameters(plugin: Plugin) -> list[dict[str, str]]:
    """The parameters of a plugin: name, values that it takes, default, meaning."""
    return [
        {
            "name": str(name),
            "takes": _takes(each),
            "default": json.dumps(each["default"]) if "default" in each else "",
            "meaning": str(each.get("description", "")),
        }
        for name, each in plugin.properties.items()
        if isinstance(each, dict)
    ]


def _takes(schema: Any) -> str:
    """Which values a part of a schema lets through, in a few words."""
    if not isinstance(schema, dict):
        return "any"
    if isinstance(schema.get("enum"), list) and len(schema["enum"]) <= _MOST_CHOICES:
        return ", ".join(json.dumps(each) for each in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    for key in _KEYS_OF_KINDS:
        if isinstance(schema.get(key), list):
            return " or ".join(dict.fromkeys(map(_takes, schema[key])))
    return str(schema.get("type", "any"))
