"""The task that somebody is told about, by its id or its message's."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lexiclass_console.console import Console
from lexiclass_console.templating import link
from lexiclass_core.access.tokens import User
from lexiclass_core.client import TaskNotFound
from lexiclass_core.numbers import number_of
from lexiclass_core.tasks.reading import find


async def send(request: Request, user: User) -> Response:
    """To its page, or else to the list of those that the text fits."""
    del user
    text = request.query_params.get("text", "").strip()
    try:
        async with Console.of(request).reading() as session:
            task = await find(session, number_of(text) or text)
    except TaskNotFound:
        return RedirectResponse(link(request, "tasks", {"text": text}), status_code=303)
    return RedirectResponse(link(request, "task", task_id=task.id), status_code=303)
