"""What waits, runs and fails, and who works."""

from __future__ import annotations

import time
from functools import partial

from lexiclass_console.serving import Page, View
from lexiclass_core.documents.overview import list_projects
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.tasks.overview import MOST_COUNTED, TaskOverview, overview
from lexiclass_core.tasks.reading import page
from lexiclass_core.workers import RunningTask, list_workers

_RECENT = 8


async def show(view: View) -> Page:
    """The first page."""
    began = time.perf_counter()
    now = await overview(view.session)
    answered_s = time.perf_counter() - began
    workers = await list_workers(view.session)
    running = [task for worker in workers for task in worker.running]
    silent = sum(worker.is_silent for worker in workers)
    oldest = [each.oldest for each in now.queues.values() if each.oldest is not None]
    return Page(
        template="overview.html",
        values={
            "overview": now,
            "most": MOST_COUNTED,
            "has_projects": bool(await list_projects(view.session, limit=1)),
            "oldest": min(oldest, default=None),
            "total": partial(_total, now),
            "workers": workers,
            "alive": len(workers) - silent,
            "silent": silent,
            "served": {task.task_id: _is_served(now, task) for task in running},
            "told": await view.console.client.latest([task.task_id for task in running]),
            "failed": await page(view.session, status="failed", limit=_RECENT),
            "database_is_slow": answered_s > 1,
            "broker_answers": await view.console.client.broker_answers(),
        },
    )


def _total(now: TaskOverview, count: str) -> int:
    return sum(getattr(each, count) for each in now.queues.values())


def _is_served(now: TaskOverview, task: RunningTask) -> bool:
    """Whether another worker may take a task over."""
    operation = OPERATIONS.get(task.type)
    return operation is None or now.queues[operation.queue].workers > 0
