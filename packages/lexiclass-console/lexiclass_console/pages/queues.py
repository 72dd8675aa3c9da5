"""The queues: pause, resume, drain."""

from __future__ import annotations

from lexiclass_console.serving import Page, View
from lexiclass_core.tasks.overview import MOST_COUNTED, overview
from lexiclass_core.workers import list_workers


async def show(view: View) -> Page:
    """Each queue, and the workers that listen to it."""
    return Page(
        template="queues.html",
        values={
            "broker_answers": await view.console.client.broker_answers(),
            "overview": await overview(view.session),
            "most": MOST_COUNTED,
            "workers": await list_workers(view.session),
        },
    )
