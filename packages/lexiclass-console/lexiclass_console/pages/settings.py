"""The settings of the workers, as these say."""

from __future__ import annotations

from lexiclass_console.serving import Page, View
from lexiclass_core.worker_settings import list_settings


async def show(view: View) -> Page:
    """Every setting, or those that somebody has changed."""
    settings = await list_settings(view.session)
    only_changed = view.request.query_params.get("show") == "changed"
    return Page(
        template="settings.html",
        values={
            "settings": [each for each in settings if each.is_changed or not only_changed],
            "only_changed": only_changed,
            "is_known": bool(settings),
        },
    )
