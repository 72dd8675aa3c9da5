"""Tasks, newest first, by what the address asks for."""

from __future__ import annotations

from typing import Any, Final, cast

from lexiclass_console.actions import MOST_AT_ONCE
from lexiclass_console.serving import Page, View, number_in
from lexiclass_core.client import TaskPage
from lexiclass_core.codes import ErrorCode
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import TaskStatus
from lexiclass_core.tasks.reading import Filters, page

_PAGE_SIZE: Final = 50
_LARGEST: Final = 500
_TEXTS: Final = ("status", "type", "queue", "error_code", "text")
_NUMBERS: Final = ("project_id", "parent", "before")


async def show(view: View) -> Page:
    """A list of tasks."""
    asked = view.asked(*_TEXTS, *_NUMBERS)
    limit = view.number("limit")
    limit = _PAGE_SIZE if limit is None else max(1, min(limit, _LARGEST))
    filters, unreadable = _filters(asked)
    filters["limit"] = limit
    rows = [] if unreadable else await page(view.session, **filters)
    shown = TaskPage.of(rows, limit=limit)
    running = [task.id for task in shown.tasks if task.status is TaskStatus.STARTED]
    return Page(
        template="tasks.html",
        values={
            "asked": asked,
            "unreadable": unreadable,
            "page": shown,
            "limit": limit,
            "told": await view.console.client.latest(running),
            "statuses": list(TaskStatus),
            "types": sorted(OPERATIONS),
            "queues": list(QueueName),
            "codes": list(ErrorCode),
            "most_at_once": MOST_AT_ONCE,
            "can_be_retried": [
                task.id
                for task in shown.tasks
                if task.status in {TaskStatus.FAILED, TaskStatus.CANCELLED}
                and task.parent_id is None
            ],
            "can_be_cancelled": [task.id for task in shown.tasks if not task.status.is_final],
        },
    )


def _filters(asked: dict[str, str]) -> tuple[Filters, list[str]]:
    """What is asked for, and the names of what cannot be understood."""
    numbers = {name: number_in(asked[name]) for name in _NUMBERS if name in asked}
    unreadable: list[str] = [name for name, number in numbers.items() if number is None]
    found: dict[str, Any] = {name: asked[name] for name in _TEXTS if name in asked}
    return cast("Filters", found | numbers), unreadable
