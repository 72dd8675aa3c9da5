"""One task: what it is, what happened to it, and what to do."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException

from lexiclass_console.serving import Page, View
from lexiclass_core.client import TaskNotFound, TaskSnapshot
from lexiclass_core.codes import ADVICE
from lexiclass_core.statuses import TaskStatus
from lexiclass_core.tasks.history import history
from lexiclass_core.tasks.reading import find, look, page

_CHUNKS: Final = 50


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
    told = (await view.console.client.latest([task.id])) if _runs(task) else {}
    return Page(
        template="task.html",
        values={
            "task": task,
            "event": told.get(task.id) or await look(view.session, task.id),
            "history": await history(view.session, row),
            "chunks": await page(view.session, parent=task.id, limit=_CHUNKS),
            "advice": ADVICE.get(task.error.code) if task.error is not None else None,
            "can_be_retried": task.status in {TaskStatus.FAILED, TaskStatus.CANCELLED}
            and task.parent_id is None,
        },
    )


def _runs(task: TaskSnapshot) -> bool:
    return task.status is TaskStatus.STARTED
