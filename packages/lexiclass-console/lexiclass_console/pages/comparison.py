"""Two versions of a field side by side."""

from __future__ import annotations

from typing import Final

from lexiclass_console.pages.version_history import gate_names
from lexiclass_console.serving import Page, View
from lexiclass_core import versions
from lexiclass_core.client import ModelVersion
from lexiclass_core.versions.comparison import Comparison

_CLASSES: Final = 20


async def show(view: View) -> Page:
    """What differs between the versions that the address names, the later one against the other."""
    field_id = view.request.path_params["field_id"]
    field = await versions.require_field(view.session, field_id)
    models = await versions.list_versions(view.session, field_id, with_figures=False)
    rule = await versions.serving_rule(view.session, field_id)
    serving = versions.serving(models, rule)
    measured = [model for model in models if model.accuracy is not None]
    first, second = view.number("first"), view.number("second")
    found: Comparison | None = None
    if first is not None and second is not None and first != second:
        found = await versions.compare_versions(view.session, field_id, first, second)
    return Page(
        template="comparison.html",
        values={
            "field": field,
            "first": first,
            "second": second,
            "choices": measured,
            "serving": None if serving is None else serving.version,
            "gates": await gate_names(view.session, field_id),
            "found": found,
            "classes": [] if found is None else _most_different(found),
            "versions": {}
            if found is None
            else {
                model.version: ModelVersion.of(model, is_serving=model is serving)
                for model in (found.first, found.second)
            },
        },
    )


def _most_different(found: Comparison) -> list[tuple[str, float | None, float | None]]:
    """The classes whose F1 differs most, and then by name."""
    rows = [(name, before, after) for name, (before, after) in found.f1_scores.items()]

    def size(row: tuple[str, float | None, float | None]) -> float:
        return 0.0 if row[1] is None or row[2] is None else abs(row[2] - row[1])

    return sorted(rows, key=size, reverse=True)[:_CLASSES]
