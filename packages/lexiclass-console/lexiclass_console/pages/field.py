"""A field: its classes, the versions of its model, and what was done with them."""

from __future__ import annotations

from typing import Final

from lexiclass_console.pages.version_history import gate_names, history_entries
from lexiclass_console.serving import Page, View, existing
from lexiclass_core import versions
from lexiclass_core.client import ModelVersion
from lexiclass_core.db.values import object_of
from lexiclass_core.documents.overview import MOST_COUNTED, field_overview
from lexiclass_core.models import Model

_EVENTS: Final = 30


async def show(view: View) -> Page:
    """A field with its versions, newest first."""
    field_id = view.request.path_params["field_id"]
    field = existing(await field_overview(view.session, field_id), "field")
    models = await versions.list_versions(view.session, field_id)
    rule = await versions.serving_rule(view.session, field_id)
    serving = versions.serving(models, rule)
    regression = versions.find_regression(models, rule)
    events = await versions.history(view.session, field_id, limit=_EVENTS)
    return Page(
        template="field.html",
        values={
            "field": field,
            "most": MOST_COUNTED,
            "versions": [ModelVersion.of(each, is_serving=each is serving) for each in models],
            "rule": rule,
            "certified": _certified(serving),
            "regression": None if regression is None else str(regression),
            "history": history_entries(events),
            "measured": [each.version for each in models if each.accuracy is not None],
            "gates": await gate_names(view.session, field_id),
            "can_roll_back": any(each.promoted_at is not None for each in models),
        },
    )


def _certified(serving: Model | None) -> list[float] | None:
    """Which accuracies the version that serves certifies; None if no evaluation of it says."""
    evaluation = {} if serving is None else object_of(serving.metrics.get("evaluation"))
    found = versions.certified_thresholds(evaluation.get("acceptance"))
    return None if found is None else [each.target for each in found if each.threshold is not None]
