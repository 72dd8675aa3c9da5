"""The queues: pause, drain, resume."""

from __future__ import annotations

from collections import defaultdict

from lexiclass_console.serving import Page, View
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks.overview import MOST_COUNTED, overview
from lexiclass_core.workers import RunningTask, WorkerSnapshot, list_workers


async def show(view: View) -> Page:
    """Each queue, the workers that listen to it, and what still runs of those that are paused."""
    now = await overview(view.session)
    running = _by_queue(await list_workers(view.session))
    draining = {queue: running[queue] for queue, each in now.queues.items() if each.pause}
    ids = [task.task_id for tasks in draining.values() for task in tasks]
    return Page(
        template="queues.html",
        values={
            "broker_answers": await view.console.client.broker_answers(),
            "overview": now,
            "most": MOST_COUNTED,
            "draining": draining,
            "told": await view.console.client.latest(ids),
        },
    )


def _by_queue(workers: list[WorkerSnapshot]) -> dict[QueueName, list[RunningTask]]:
    """What workers run that are heard of: what others have left is not waited for."""
    found: dict[QueueName, list[RunningTask]] = defaultdict(list)
    for worker in workers:
        for task in worker.running:
            if not worker.is_silent and task.type in OPERATIONS:
                found[OPERATIONS[task.type].queue].append(task)
    return found
