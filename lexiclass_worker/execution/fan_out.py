"""A task that waits for its chunks, and these: what one tells the other.

PostgreSQL says what is open. Messages only hurry: if one of them is lost the reconciler sends the
chunk again, and the message of their parent comes back from time to time to look.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.models import Task
from lexiclass_core.queueing.envelopes import envelope_of
from lexiclass_core.tasks import chunks
from lexiclass_worker.causes import cause_of
from lexiclass_worker.execution.delivery import Runtime
from lexiclass_worker.execution.outcome import TaskFailed


async def send_chunks(runtime: Runtime, parent_id: int) -> None:
    """Send the chunks of a task that has just fanned out."""
    try:
        async with runtime.sessions() as session:
            waiting = await chunks.pending(session, parent_id)
        await asyncio.to_thread(runtime.send, list(map(envelope_of, waiting)))
    except (*DATABASE_ERRORS, OSError, BrokerUnavailable) as error:
        logger.warning("The chunks wait in their rows to be sent: {error}", error=cause_of(error))


@asynccontextmanager
async def telling_the_parent(runtime: Runtime, task: Task) -> AsyncIterator[None]:
    """Tell the parent of a task, if it is a chunk, when it is final."""
    try:
        yield
    except TaskFailed:
        await _tell(runtime, task)
        raise
    await _tell(runtime, task)


async def _tell(runtime: Runtime, chunk: Task) -> None:
    """Carry the progress; the last chunk sends for the task."""
    if chunk.parent_id is None:
        return
    try:
        async with runtime.sessions.begin() as session:
            parent = await chunks.carry_progress(session, chunk.parent_id)
        if parent is not None:
            reminder = envelope_of(parent, is_reminder=True)
            await asyncio.to_thread(runtime.send, [reminder])
    except (*DATABASE_ERRORS, OSError, BrokerUnavailable) as error:
        logger.warning(
            "Task {parent} was not told that a chunk has ended, and finds out later: {error}",
            parent=chunk.parent_id,
            error=cause_of(error),
        )
