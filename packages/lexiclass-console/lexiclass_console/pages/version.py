"""A version of a field's model: how it was made, how good it is, what was done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lexiclass_console.pages.version_history import gate_names, history_entries
from lexiclass_console.reports import find_report
from lexiclass_console.serving import Page, View
from lexiclass_core import versions
from lexiclass_core.client import ModelVersion
from lexiclass_core.db.values import object_of
from lexiclass_core.layout import REPORT_PAGE
from lexiclass_core.models import Model
from lexiclass_core.plugins import PLACES
from lexiclass_core.versions.kept_reports import kept_reports

_EVENTS: Final = 50


async def show(view: View) -> Page:
    """A version with its report, read from the storage."""
    field_id, number = (view.request.path_params[name] for name in ("field_id", "version"))
    field = await versions.require_field(view.session, field_id)
    model = await versions.require_version(view.session, field_id, number)
    models = await versions.list_versions(view.session, field_id, with_figures=False)
    rule = await versions.serving_rule(view.session, field_id)
    serves = versions.serving(models, rule)
    serving = None if serves is None else serves.version
    others = [each.version for each in models if each is not model and each.accuracy is not None]
    reports = kept_reports(model.metrics)
    latest = versions.test_set_digest(model)
    asked = view.request.query_params.get("test_set")
    chosen = asked if asked in reports else latest if latest in reports else None
    console = view.console

    async def later() -> Mapping[str, Any]:
        found = await find_report(
            console.client, field_id, number, test_set=chosen, keys=console.storage_keys
        )
        return {"found": found}

    return Page(
        template="version.html",
        values={
            "field": field,
            "version": ModelVersion.of(model, is_serving=model is serves),
            "made": _made(model),
            "error": object_of(model.metrics.get("error")),
            "others": others,
            # The one that serves, or else the newest.
            "compared_with": serving if serving in others else next(iter(others), None),
            "serving": serving,
            "gates": await gate_names(view.session, field_id),
            "chosen": chosen,
            "latest": latest,
            "reports": [
                (test_set, kept.current)
                for test_set, kept in reports.items()
                if kept.current is not None
            ],
            "report_page": REPORT_PAGE,
            "history": history_entries(
                await versions.history(view.session, field_id, version=number, limit=_EVENTS)
            ),
            "message_id": model.message_id,
        },
        later=later,
    )


def _made(model: Model) -> dict[str, Any]:
    """How it was made, as far as its files and its training say."""
    spec = object_of(model.manifest.get("spec"))
    parameters = {
        place: object_of(spec.get(f"{place}_params")) for place in PLACES if spec.get(place)
    }
    numbers = {
        name: value
        for name in ("num_documents", "num_classes", "num_features", "num_calibration_documents")
        if type(value := model.metrics.get(name)) is int
    }
    return {
        "plugins": {place: spec.get(place) or model.metrics.get(place) for place in PLACES},
        "locale": spec.get("locale"),
        "parameters": parameters,
        "numbers": numbers,
        "seconds": {
            str(stage): each
            for stage, each in object_of(model.metrics.get("seconds")).items()
            if isinstance(each, int | float) and not isinstance(each, bool) and 0 <= each < 2**53
        },
        "libraries": object_of(model.manifest.get("library_versions")),
        "size_bytes": size if type(size := model.manifest.get("size_bytes")) is int else None,
        "digests": {
            "model": model.manifest.get("model_digest"),
            "training set": model.manifest.get("training_digest"),
            "manifest": model.manifest.get("manifest_digest"),
        },
    }
