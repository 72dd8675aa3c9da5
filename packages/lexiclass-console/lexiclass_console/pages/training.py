"""The form of a training: plugins, and their parameters with types, bounds and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException

from lexiclass_console.actions.training import DEFAULTS, known_plugins
from lexiclass_console.parameters import ParameterField, fields_of, running
from lexiclass_console.serving import Page, View, existing
from lexiclass_core import versions
from lexiclass_core.db.values import object_of
from lexiclass_core.documents.overview import MOST_COUNTED, field_overview
from lexiclass_core.numbers import number_of
from lexiclass_core.plugins import PLACES, Plugin

_NAMES: Final = {
    "tokenizer": "Tokenizer", "feature_extractor": "Features", "classifier": "Classifier",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A plugin that runs, and what is written in the fields of its parameters."""

    plugin: Plugin
    words: str
    fields: list[tuple[ParameterField, str]]


async def show(view: View) -> Page:
    """The form with the plugins that the address names, or as it was sent."""
    path, query = view.request.path_params, view.request.query_params
    field_id = path.get("field_id") or number_of(view.given.get("field_id", "")) or 0
    field = existing(await field_overview(view.session, field_id), "field")
    if not view.may("submit.train"):
        raise HTTPException(403, f"Training needs another role than {view.user.role}.")
    known = await known_plugins(view.session)
    choices = {place: known.of_type(place) for place in PLACES}
    like = view.number("like")
    spec = {} if like is None else await _spec_of(view, field_id, like)
    asked = {**{place: spec.get(place) for place in PLACES}, **query, **view.given}
    chosen = [_chosen(choices[place], asked.get(place), DEFAULTS[place]) for place in PLACES]
    found = [plugin for plugin in chosen if plugin is not None]
    stages = running(found) if len(found) == len(PLACES) else []
    return Page(
        template="training.html",
        values={
            "field": field,
            "most": MOST_COUNTED,
            "choices": choices,
            "names": _NAMES,
            "chosen": {plugin.type: plugin.name for plugin in found},
            "stages": [_stage(plugin, spec, view.given) for plugin in stages],
            "skipped": [_NAMES[str(each.type)].lower() for each in found if each not in stages],
            "workers": known.workers,
            "like": like if spec else None,
            "is_like": all(spec.get(str(each.type)) == each.name for each in stages),
            "locale": view.given.get("locale") or spec.get("locale") or "",
            "given": view.given,
            "problems": view.problems,
        },
    )


async def _spec_of(view: View, field_id: int, version: int) -> Mapping[str, Any]:
    """What a version was made with."""
    model = await versions.require_version(view.session, field_id, version)
    return object_of(model.manifest.get("spec"))


def _chosen(plugins: list[Plugin], asked: Any, default: str) -> Plugin | None:
    by_name = {plugin.name: plugin for plugin in plugins}
    found = by_name.get(asked) if isinstance(asked, str) else None
    return found or by_name.get(default) or next(iter(plugins), None)


def _stage(plugin: Plugin, spec: Mapping[str, Any], given: Mapping[str, str]) -> _Stage:
    # Parameters of another plugin are none of its, even where names are the same.
    is_same = spec.get(str(plugin.type)) == plugin.name
    kept = object_of(spec.get(f"{plugin.type}_params")) if is_same else {}
    return _Stage(
        plugin=plugin,
        words=_NAMES[str(plugin.type)],
        fields=[
            (
                each,
                given.get(each.name)
                or (each.write(kept[each.label]) if each.label in kept else each.default),
            )
            for each in fields_of(plugin)
        ],
    )
