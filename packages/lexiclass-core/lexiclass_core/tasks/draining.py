"""Emptying queues: they are paused, and what runs comes to its end."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from typing import Final

from lexiclass_core.db import Transaction
from lexiclass_core.models import Task
from lexiclass_core.operations import OPERATIONS, queues_of_parts
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks import admission
from lexiclass_core.tasks.leases import running_tasks

_LOOK_EVERY_S: Final = 0.2
# A task that was about to start when its queue was paused has started by then.
_IDLE_S: Final = 1.0


def with_parts(queues: Collection[QueueName]) -> set[QueueName]:
    """Some queues, and those in which parts of their tasks wait.

    Raises:
        ValueError: If one of them is none.
    """
    named = {QueueName(queue) for queue in queues}
    return named | queues_of_parts(named)


async def drain(
    transaction: Transaction, queues: Collection[QueueName], reason: str | None = None
) -> AsyncGenerator[int]:
    """Pause some queues, and tell how many of their tasks run until none does; they stay paused."""
    paused = with_parts(queues)
    types = [name for name, operation in OPERATIONS.items() if operation.queue in paused]
    async with transaction() as session:
        await admission.pause(session, paused, reason)
    busy_at = time.monotonic()
    while True:
        async with transaction() as session:
            left = len(await running_tasks(session, Task.type.in_(types)))
        now = time.monotonic()
        if left:
            busy_at = now
        elif now - busy_at >= _IDLE_S:
            return
        yield left
        await asyncio.sleep(_LOOK_EVERY_S)


def not_drained(
    queues: Collection[QueueName], timeout_s: float | None, left: int | None
) -> TimeoutError:
    """What is raised when somebody has waited for so long; ``left`` still ran at the last look."""
    names = ", ".join(sorted(with_parts(queues)))
    state = "they could not be looked at" if left is None else f"{left} of their tasks run"
    return TimeoutError(f"queues {names} are not empty after {timeout_s:g} s: {state}")
