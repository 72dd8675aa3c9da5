"""What a training is submitted with: plugins, and their parameters as fields of a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_console.actions.action import FormRefused, OneField, Submission
from lexiclass_console.parameters import fields_of, running
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.plugins import PLACES, Plugin, PublishedPlugins, list_plugins
from lexiclass_core.schemas import Locale, TrainFieldModel

_MOST_CHARACTERS: Final = 20_000
_LOCALE: Final[TypeAdapter[str]] = TypeAdapter(Locale)

DEFAULTS: Final[Mapping[str, str]] = {
    # As the command does, and not as messages of other programs have it.
    "tokenizer": "icu", "feature_extractor": "tfidf", "classifier": "svm",
}  # fmt: skip


class Training(OneField, Submission):
    """What a version is made with; what is empty is as ``lexiclass-worker train`` has it.

    Further fields are parameters, by names such as ``classifier_params.C``.

    Attributes:
        parameters: JSON with ``tokenizer_params``, ``feature_extractor_params`` and
            ``classifier_params``, where no worker has said which there are.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    tokenizer: str = Field("", max_length=200)
    feature_extractor: str = Field("", max_length=200)
    classifier: str = Field("", max_length=200)
    locale: str = Field("", max_length=200)
    parameters: str = Field("", max_length=_MOST_CHARACTERS)


async def known_plugins(session: AsyncSession) -> PublishedPlugins:
    """Those of the workers that train."""
    queue = OPERATIONS[TrainFieldModel.actor_name].queue
    return await list_plugins(session, queue=queue)


async def training_arguments(session: AsyncSession, form: Training) -> dict[str, Any]:
    """The arguments of the task.

    Raises:
        FormRefused: If plugins or parameters are not acceptable, by field.
    """
    names = {place: getattr(form, place) or DEFAULTS[place] for place in PLACES}
    asked: dict[str, Any] = {"project_id": form.project_id, "field_id": form.field_id}
    if form.locale.strip():
        asked["locale"] = _locale(form.locale.strip())
    extra: Mapping[str, Any] = form.model_extra or {}
    known = await known_plugins(session)
    if form.parameters.strip() or not known.plugins:
        if extra:
            raise FormRefused(dict.fromkeys(extra, "no worker has said which parameters there are"))
        return asked | names | _parsed(form.parameters)
    stages = running([_find(known, place, names[place]) for place in PLACES])
    problems: dict[str, str] = {}
    parameters: dict[str, dict[str, Any]] = {}
    unknown = dict(extra)
    for plugin in stages:
        for each in fields_of(plugin):
            text = unknown.pop(each.name, "")
            try:
                value = each.read(text)
            except ValueError as error:
                problems[each.name] = str(error)
                continue
            if text.strip() and not each.is_default(value):
                parameters.setdefault(f"{plugin.type}_params", {})[each.label] = value
    problems |= dict.fromkeys(unknown, "the plugins that run have no such parameter")
    if problems:
        raise FormRefused(problems)
    run = {str(plugin.type): plugin.name for plugin in stages}
    return asked | run | parameters


def _locale(text: str) -> str:
    try:
        return _LOCALE.validate_python(text)
    except ValidationError:
        raise FormRefused(
            {"locale": f"found {text[:100]!r}; expected a language such as en or pt-BR"}
        ) from None


def _find(known: PublishedPlugins, place: str, name: str) -> Plugin:
    usable = {plugin.name: plugin for plugin in known.of_type(place)}
    if name not in usable:
        there = ", ".join(usable) or "none"
        raise FormRefused({place: f"no worker that trains has {name[:100]!r}; there is: {there}"})
    return usable[name]


def _parsed(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    names = {f"{place}_params" for place in PLACES}
    if not isinstance(found, dict) or not found.keys() <= names:
        expected = (
            'expected JSON such as {"classifier_params": {"C": 0.5}}, with tokenizer_params, '
            "feature_extractor_params and classifier_params"
        )
        raise FormRefused({"parameters": f"not understood: {expected}"})
    return found
