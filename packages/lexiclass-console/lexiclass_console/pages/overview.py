"""What waits, runs and fails, and who works."""

from __future__ import annotations

import time

from lexiclass_console.serving import Page, View
from lexiclass_core.tasks.overview import MOST_COUNTED, overview
from lexiclass_core.tasks.reading import page
from lexiclass_core.workers import list_workers

_RECENT = 8


async def show(view: View) -> Page:
    """The first page."""
    began = time.perf_counter()
    now = await overview(view.session)
    answered_s = time.perf_counter() - began
    workers = await list_workers(view.session)
    running = [task.task_id for worker in workers for task in worker.running]
    return Page(
        template="overview.html",
        values={
            "overview": now,
            "most": MOST_COUNTED,
            "workers": workers,
            "told": await view.console.client.latest(running),
            "failed": await page(view.session, status="failed", limit=_RECENT),
            "database_is_slow": answered_s > 1,
            "broker_answers": await view.console.client.broker_answers(),
        },
    )
