"""What a service is given to work with."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db import SessionFactory
from lexiclass_core.schemas import Request, Result, TaskError
from lexiclass_core.tasks import chunks, leases, transitions
from lexiclass_core.tasks.leases import Lease
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.interruption import Interruption
from lexiclass_worker.execution.outcome import FanOut, Snooze
from lexiclass_worker.execution.progress import Progress
from lexiclass_worker.sandbox import Sandbox

# Transactions put the lease off themselves, if not more often than this: it is renewed every few
# seconds, but not by others while a transaction has the task's row, be it one or many in a row.
_EXTENDED_EVERY_S = 1.0


@dataclass(slots=True, kw_only=True)
class TaskContext:
    """One task's surroundings. A script or a notebook can make its own and call a service.

    Attributes:
        message_id: Names the task; what it writes is keyed by it, so that a second run of the same
            message changes nothing.
        sessions: Makes database sessions; hold one for short transactions only. What a service
            writes goes through :meth:`commit` instead.
        lease: What the task's writes are made under; None outside a worker.
        began_at: When the task began: the same for all its attempts and all its chunks.
        num_chunks: How many chunks it was spread over, all of them final now; None if it was not.
        before: What the attempt before this one ended with; None for the first.
    """

    message_id: str
    settings: Settings
    sessions: SessionFactory
    storage: Storage
    sandbox: Sandbox = field(default_factory=Sandbox)
    progress: Progress = field(default_factory=Progress)
    lease: Lease | None = None
    interruption: Interruption = field(default_factory=Interruption)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    num_chunks: int | None = None
    before: TaskError | None = None
    is_closed: bool = field(default=False, init=False)
    _extended_at: float = field(default_factory=time.monotonic, init=False)

    @asynccontextmanager
    async def commit(self, result: Result | None = None) -> AsyncIterator[AsyncSession]:
        """One transaction of effects, which nobody else can have on this task meanwhile.

        With a result the same transaction closes the task: the last one of a service.

        Raises:
            LeaseLost: If another worker has taken the task over; nothing is written.
            CancelRequested: If the task is to be closed, and somebody wants it cancelled.
        """
        async with self.sessions.begin() as session:
            if self.lease is not None:
                if result is None:
                    await leases.hold(session, self.lease)
                else:
                    await transitions.succeed(session, self.lease, result.model_dump(mode="json"))
            yield session
            if self.lease is not None and result is None:
                await self._extend(session, self.lease)
        if result is not None:
            self.is_closed = True
            # The task is final, and its lease with it: nobody has taken it.
            self.interruption.settle()

    async def _extend(self, session: AsyncSession, lease: Lease) -> None:
        if time.monotonic() - self._extended_at > _EXTENDED_EVERY_S:
            duration_s = self.settings.dramatiq.heartbeat_timeout_ms / 1000
            await leases.extend(session, lease, for_s=duration_s)
            self._extended_at = time.monotonic()

    async def fan_out(self, requests: Sequence[Request]) -> NoReturn:
        """Leave the work to others, in a chunk for each request.

        When all of them are final the service runs again.

        Raises:
            FanOut: Always, if nothing else: the attempt is over.
            LeaseLost: If another worker has taken the task over; nothing is written.
            CancelRequested: If somebody wants the task cancelled.
        """
        if self.lease is None:
            raise RuntimeError("only a task that has a row can be spread over chunks")
        async with self.sessions.begin() as session:
            await transitions.fan_out(session, self.lease, num_chunks=len(requests))
            await chunks.add(session, self.lease.task_id, requests)
        raise FanOut(self.lease.task_id, len(requests))

    async def snooze(self, reason: str, *, delay_s: float) -> NoReturn:
        """Leave the thread to others while this task waits. Then the service runs again.

        Raises:
            Snooze: Always, if nothing else: the attempt is over, and does not count.
            LeaseLost: If another worker has taken the task over; nothing is written.
            CancelRequested: If somebody wants the task cancelled.
        """
        if self.lease is None:
            raise RuntimeError("only a task that has a row can be snoozed")
        async with self.sessions.begin() as session:
            stage = self.progress.stage
            await transitions.snooze(session, self.lease, delay_s=delay_s, stage=stage)
        raise Snooze(reason, delay_s=delay_s)

    def reason(self, error: BaseException) -> BaseException:
        """What ended the work: why it was stopped, if it was, instead of the bare cancellation."""
        return self.interruption.reason or error
