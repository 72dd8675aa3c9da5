"""One task: what it is, what happened to it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException

from lexiclass_console.serving import Page, View
from lexiclass_core.client import TaskNotFound, TaskSnapshot
from lexiclass_core.codes import ADVICE, ErrorCode
from lexiclass_core.numbers import LARGEST_ID
from lexiclass_core.statuses import Hindrance, TaskStatus
from lexiclass_core.tasks.history import history
from lexiclass_core.tasks.reading import find, look, page
from lexiclass_core.workers import hindrance, list_workers

_CHUNKS: Final = 50

# The page on which what is to be done about an error is found.
_REMEDIES: Final[Mapping[str, str]] = {
    ErrorCode.PLUGIN_NOT_FOUND: "plugins",
    ErrorCode.PLUGIN_UNAVAILABLE: "plugins",
}


async def show(view: View) -> Page:
    """A task with its attempts, its chunks and its error."""
    named = view.request.path_params["task_id"]
    try:
        row = await find(view.session, int(named) if named.isdecimal() else named)
    except TaskNotFound:
        raise HTTPException(
            404, "There is no such task: its id is wrong, or it was removed with its project."
        ) from None
    task = TaskSnapshot.of(row)
    is_left = (
        _runs(task) and task.lease_owner is not None and not await _is_held(view.session, task)
    )
    told = (await view.console.client.latest([task.id])) if _runs(task) else {}
    return Page(
        template="task.html",
        values={
            "task": task,
            "event": told.get(task.id) or await look(view.session, task.id),
            "history": await history(view.session, row),
            "chunks": await page(view.session, parent=task.id, limit=_CHUNKS),
            "advice": ADVICE.get(task.error.code) if task.error is not None else None,
            "remedy": _REMEDIES.get(task.error.code) if task.error is not None else None,
            "is_left": is_left,
            "is_served": await hindrance(view.session, task.queue or "") is not Hindrance.NO_WORKER,
            "field_id": _number_in(task.request, "field_id"),
            "version": _number_in(task.result, "model_version"),
            "can_be_retried": task.status in {TaskStatus.FAILED, TaskStatus.CANCELLED}
            and task.parent_id is None,
        },
    )


def _runs(task: TaskSnapshot) -> bool:
    return task.status is TaskStatus.STARTED


async def _is_held(session: AsyncSession, task: TaskSnapshot) -> bool:
    """Whether the worker that runs a task is heard of, and its lease holds."""
    if task.lease_expires_at is None or task.lease_expires_at <= datetime.now(UTC):
        return False
    workers = await list_workers(session)
    return any(worker.name == task.lease_owner and not worker.is_silent for worker in workers)


def _number_in(content: object, name: str) -> int | None:
    """An id or version that a request or a result names; other programs write rows too."""
    found = content.get(name) if isinstance(content, dict) else None
    return found if type(found) is int and 0 < found <= LARGEST_ID else None
