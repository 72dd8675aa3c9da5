"""Pausing, resuming and draining queues."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from lexiclass_core.client.blocking import Blocking, blocking
from lexiclass_core.db import Transaction
from lexiclass_core.queue_config import QueueName
from lexiclass_core.tasks import admission
from lexiclass_core.tasks.admission import Pause
from lexiclass_core.tasks.draining import drain, not_drained, with_parts


class AsyncQueues:
    """Whether the tasks of queues may start. Those of predictions and their chunks go together."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def pauses(self) -> Mapping[str, Pause]:
        """The queues that are paused, since when and why."""
        async with self._transaction() as session:
            return await admission.pauses(session)

    async def running(self) -> Mapping[QueueName, int]:
        """How many tasks of each queue run."""
        async with self._transaction() as session:
            return await admission.running_by_queue(session)

    async def pause(self, *queues: QueueName, reason: str | None = None) -> None:
        """Let no task of some queues start until they are resumed; what runs goes on."""
        async with self._transaction() as session:
            await admission.pause(session, with_parts(queues), reason)

    async def resume(self, *queues: QueueName) -> None:
        """Let their tasks start again."""
        async with self._transaction() as session:
            await admission.resume(session, with_parts(queues))

    async def drain(
        self, *queues: QueueName, reason: str | None = None, timeout_s: float | None = None
    ) -> None:
        """Pause some queues and wait until none of their tasks runs; they stay paused.

        Args:
            queues: Which.
            reason: Why; kept with the pause.
            timeout_s: Longest wait in seconds; None for as long as it takes.

        Raises:
            TimeoutError: If some still run then.
        """
        left: int | None = None
        bound = asyncio.timeout(timeout_s)
        try:
            async with bound, aclosing(drain(self._transaction, queues, reason)) as running:
                async for left in running:  # noqa: B007 - for the error
                    pass
        except TimeoutError:
            if bound.expired():
                raise not_drained(queues, timeout_s, left) from None
            raise


class Queues(Blocking[AsyncQueues]):
    """:class:`AsyncQueues` for code without an event loop."""

    pauses = blocking(AsyncQueues.pauses)
    running = blocking(AsyncQueues.running)
    pause = blocking(AsyncQueues.pause)
    resume = blocking(AsyncQueues.resume)
    drain = blocking(AsyncQueues.drain)
