"""JSON Schema, as much of it as Pydantic writes of the parameters of plugins.

What is not understood fits whatever it is: the worker validates parameters in any case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from lexiclass_core.db.values import object_of

Schema: TypeAlias = Mapping[str, Any]

LONGEST_TEXT: Final = 20_000
"""Characters of a text without a bound of its own."""


def alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """The schemas of which a value fits one."""
    found = schema.get("anyOf")
    for each in found if isinstance(found, list) else [schema]:
        one = object_of(each)
        reference = str(one.get("$ref", ""))
        yield object_of(definitions.get(reference.removeprefix("#/$defs/"))) if reference else one


def values_of(schema: Schema) -> list[Any]:
    """All values that fit, where they can be listed."""
    if "const" in schema:
        return [schema["const"]]
    if isinstance(listed := schema.get("enum"), list):
        return listed
    match schema.get("type"):
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case _:
            return []


def items_of(schema: Schema) -> list[Schema]:
    """The schemas of the items of a list, or the one of all of them."""
    first = schema.get("prefixItems")
    return list(map(object_of, first if isinstance(first, list) else [schema.get("items")]))


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is one of those that a schema describes."""
    if "const" in schema or "enum" in schema:
        # 1 is no True.
        return any(type(each) is type(value) and each == value for each in values_of(schema))
    match schema.get("type"):
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return type(value) is int and _is_within(schema, value)
        case "number":
            is_number = type(value) in {int, float} and math.isfinite(value)
            return is_number and _is_within(schema, value)
        case "string":
            return isinstance(value, str) and _is_text(schema, value)
        case "array":
            return isinstance(value, list) and _are_items(schema, value)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def expected(schema: Schema) -> str:
    """What a schema describes, for people."""
    if values := values_of(schema):
        return ", ".join(map(shown, values))
    match schema.get("type"):
        case "integer":
            return f"a whole number{_bounds(schema)}"
        case "number":
            return f"a number{_bounds(schema)}"
        case "string":
            pattern = schema.get("pattern")
            return "a text" if pattern is None else f"a text that matches {pattern}"
        case "array":
            items = dict.fromkeys(map(expected, items_of(schema)))
            length = f"{len(items_of(schema))} of" if "prefixItems" in schema else "a list of"
            return f"{length}: {'; '.join(items)}"
        case "object":
            return 'JSON such as {"name": 1}'
        case _:
            return "JSON"


def shown(value: Any) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _number(schema: Schema, name: str, default: float) -> float:
    found = schema.get(name)
    return found if isinstance(found, int | float) else default


def _is_within(schema: Schema, value: float) -> bool:
    least, most = _number(schema, "minimum", -math.inf), _number(schema, "maximum", math.inf)
    over = _number(schema, "exclusiveMinimum", -math.inf)
    under = _number(schema, "exclusiveMaximum", math.inf)
    return least <= value <= most and over < value < under


def _is_text(schema: Schema, value: str) -> bool:
    longest = _number(schema, "maxLength", LONGEST_TEXT)
    if not _number(schema, "minLength", 0) <= len(value) <= longest:
        return False
    return "pattern" not in schema or _matches(str(schema["pattern"]), value)


def _matches(pattern: str, value: str) -> bool:
    """Whether a text matches a pattern of Pydantic, whose engine takes linear time for any."""
    try:
        TypeAdapter(Annotated[str, Field(pattern=pattern)]).validate_python(value)
    except SchemaError:
        # Of another language of patterns, or too large: the worker knows it.
        return True
    except ValidationError:
        return False
    return True


def _are_items(schema: Schema, value: list[Any]) -> bool:
    longest = _number(schema, "maxItems", LONGEST_TEXT)
    if not _number(schema, "minItems", 0) <= len(value) <= longest:
        return False
    items = items_of(schema)
    schemas = items if "prefixItems" in schema else items * len(value)
    return all(fits(each, item) for each, item in zip(schemas, value, strict=False))


def _bounds(schema: Schema) -> str:
    said = [
        f"{words} {schema[name]:,}"
        for words, name in (
            ("from", "minimum"), ("above", "exclusiveMinimum"),
            ("to", "maximum"), ("below", "exclusiveMaximum"),
        )
        if isinstance(schema.get(name), int | float)
    ]  # fmt: skip
    return f" {' '.join(said)}" if said else ""
