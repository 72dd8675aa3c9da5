"""``--param name=value``: parameters of plugins from the command line, typed by their models."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError, create_model

from lexiclass.errors import InvalidParameters
from lexiclass.plugins.plugin_type import PluginType
from lexiclass.spec import PipelineSpec

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from lexiclass.plugins.info import PluginInfo
    from lexiclass.plugins.registry import Registry

Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Parameter of a plugin, such as min_df=3, ngram_range=1,2 or classifier.C=0.5; can be "
        "given more than once. `plugins describe NAME` lists them.",
    ),
]

_PREFIXES = {
    "tokenizer": PluginType.TOKENIZER,
    "features": PluginType.FEATURE_EXTRACTOR,
    "feature_extractor": PluginType.FEATURE_EXTRACTOR,
    "classifier": PluginType.CLASSIFIER,
}


def pipeline_spec(registry: Registry, assignments: Sequence[str], **fields: Any) -> PipelineSpec:
    """Make a validated pipeline of the fields given and of what ``--param`` was given.

    Raises:
        PluginNotFound: If a plugin does not exist.
        PluginUnavailable: If what a plugin needs is not installed.
        InvalidParameters: If a parameter or another field is not acceptable.
    """
    spec = PipelineSpec.of(**fields)
    parameters = assign([*registry.stages(spec).values()], assignments)
    return registry.validate(
        spec.model_copy(update={f"{place}_params": value for place, value in parameters.items()})
    )


def assign(
    infos: Sequence[PluginInfo],
    assignments: Iterable[str],
    *,
    untyped: Collection[PluginType] = (),
) -> Mapping[PluginType, dict[str, Any]]:
    """Give every parameter to the plugin that has it, as the type it has there.

    Args:
        infos: Plugins of different types.
        assignments: ``name=value``, or ``tokenizer.name=value`` where more than one plugin has it;
            ``name.key=value`` for a part of a parameter that is an object.
        untyped: Places of plugins that are not known here. Their parameters are named with the
            place, and are JSON or text.

    Raises:
        InvalidParameters: If no plugin has a parameter, more than one has it, or it has no value.
    """
    places = [*(info.type for info in infos), *untyped]
    parameters: dict[PluginType, dict[str, Any]] = {place: {} for place in places}
    for assignment in assignments:
        full_name, equals, value = assignment.partition("=")
        if not equals:
            raise InvalidParameters(f"{assignment!r} has no value; write {full_name}=VALUE.")
        prefix, _, name = full_name.strip().partition(".")
        if _PREFIXES.get(prefix) in untyped:
            _set(parameters[_PREFIXES[prefix]], name, typed(None, value))
            continue
        info, name = _owner(infos, full_name.strip())
        _set(parameters[info.type], name, typed(info.parameters.model_fields.get(name), value))
    return parameters


def _set(parameters: dict[str, Any], name: str, value: Any) -> None:
    """Set a parameter, or a part of one: ``name.key``."""
    *objects, key = name.split(".")
    for name_of_object in objects:
        parameters = parameters.setdefault(name_of_object, {})
    parameters[key] = value


def typed(field: FieldInfo | None, value: str) -> Any:
    """Return what a text says for a parameter: JSON, or a list without brackets, or itself.

    What none of these makes acceptable is returned as JSON or text, for the model to refuse.
    """
    readings = [*_json(value), *(_json(f"[{value}]") if "," in value else []), value]
    if field is None:
        return readings[0]
    accepting = create_model("Accepting", value=(field.annotation or Any, field))
    for reading in readings:
        try:
            accepting(value=reading)
        except ValidationError:
            continue
        return reading
    return readings[0]


def _json(value: str) -> list[Any]:
    try:
        return [json.loads(value)]
    except ValueError:
        return []


def _owner(infos: Sequence[PluginInfo], full_name: str) -> tuple[PluginInfo, str]:
    prefix, dot, name = full_name.partition(".")
    if dot and prefix in _PREFIXES:
        owners = [info for info in infos if info.type is _PREFIXES[prefix]]
    else:
        name = full_name
        owners = [info for info in infos if name.partition(".")[0] in info.parameters.model_fields]
    if len(owners) == 1:
        return owners[0], name
    named = ", ".join(f"{info.type} {info.name!r}" for info in owners or infos)
    if owners:
        raise InvalidParameters(
            f"More than one plugin has a parameter {name!r}: {named}. Say which, as in "
            f"{owners[0].type}.{name}=VALUE.",
            details={"parameter": name, "plugins": [info.name for info in owners]},
        )
    known = sorted({field for info in infos for field in info.parameters.model_fields})
    raise InvalidParameters(
        f"There is no parameter {full_name!r} of {named}. Known parameters: "
        f"{', '.join(known) or 'none'}.",
        details={"parameter": full_name, "known": known},
    )
