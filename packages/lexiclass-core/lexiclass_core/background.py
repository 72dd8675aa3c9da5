"""Ending work that goes on beside other work in an event loop."""

import asyncio
from typing import Any, Final

_CANCEL_AGAIN_S: Final = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel asyncio tasks, and wait until they have ended.

    They are cancelled again and again, for one cancellation can get lost: where the server has
    closed the connection of a statement that is cancelled, SQLAlchemy raises an error of its own in
    its place, and whoever takes that for a database that is away goes on.
    """
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=_CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # which is nobody's to see: the work was to end
