"""The leases of a worker process, renewed while the work goes on."""

import asyncio
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Final

from loguru import logger

from lexiclass_core.background import end
from lexiclass_core.db import SessionFactory
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.tasks import leases, transitions
from lexiclass_core.tasks.errors import LeaseLost
from lexiclass_core.tasks.leases import Holder, Lease, LeaseState
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import WorkStopped
from lexiclass_worker.execution.interruption import Interruption

# A cancelled task should end within two seconds, its child's end included.
_LOOK_INTERVAL_S: Final = 1.0

# A process that ends does not wait for a database that is away: the leases lapse.
_HAND_BACK_S: Final = 2.0


class LeaseKeeper:
    """Renews the leases of running tasks, and stops those that are lost or cancelled.

    One statement a second looks after all of them; nothing is asked while nothing runs. A database
    that cannot be reached stops no task: whether its lease still held is asked at its commit.

    Args:
        duration_s: How long a lease holds unless it is renewed, in seconds.
    """

    def __init__(self, sessions: SessionFactory, *, duration_s: float) -> None:
        self._sessions = sessions
        self._duration_s = duration_s
        self.name = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        """What this process signs leases with."""
        self._kept: dict[Lease, Interruption] = {}
        self._left: dict[Lease, float] = {}
        self._loop: asyncio.Task[None] | None = None

    @property
    def holder(self) -> Holder:
        """This process, as it takes a lease."""
        lapsed_at = time.monotonic() - self._duration_s
        self._left = {lease: at for lease, at in self._left.items() if at > lapsed_at}
        return Holder(name=self.name, duration_s=self._duration_s, left=list(self._left))

    def leave(self, lease: Lease) -> None:
        """Remember a lease that could not be given back, so that the next attempt need not wait."""
        self._left[lease] = time.monotonic()

    @contextmanager
    def keeping(self, lease: Lease, interruption: Interruption) -> Iterator[None]:
        """Keep a lease for the time of a ``with`` block, in a running event loop."""
        self._kept[lease] = interruption
        if self._loop is None or self._loop.done():
            # Not in the context of the task that happens to be first: its ids are not the others'.
            self._loop = asyncio.create_task(
                self._look_after(), name="lease-keeper", context=Context()
            )
        try:
            yield
        finally:
            del self._kept[lease]

    async def close(self) -> None:
        """End the background task."""
        if self._loop is not None:
            await end(self._loop)

    async def hand_back(self) -> None:
        """Give back what is still held when the process ends: whoever held it was not waited for.

        An attempt that was interrupted ends its child first, which may take a while; one that was
        interrupted while it took its lease does not know of it.
        """
        try:
            async with asyncio.timeout(_HAND_BACK_S), self._sessions.begin() as session:
                left = await transitions.release_all(session, self.name)
        except (*DATABASE_ERRORS, OSError) as error:
            logger.warning("Leases could not be handed back: {error}", error=cause_of(error))
        else:
            if left:
                logger.info("Handed back tasks that had not ended: {ids}", ids=left)

    async def _look_after(self) -> None:
        interval_s = min(_LOOK_INTERVAL_S, self._duration_s / 3)
        renewed_at = time.monotonic()
        # The loop outlives gaps between tasks, so that short ones do not start one each.
        await asyncio.sleep(interval_s)
        while self._kept:
            is_due = time.monotonic() - renewed_at >= self._duration_s / 3 - interval_s
            try:
                await self._look(renew_for_s=self._duration_s if is_due else None)
            except (*DATABASE_ERRORS, OSError) as error:
                logger.warning("Leases could not be renewed: {error}", error=cause_of(error))
            except Exception:  # noqa: BLE001 - without it every running task would lose its lease
                logger.exception("Leases could not be renewed")
            else:
                renewed_at = time.monotonic() if is_due else renewed_at
            await asyncio.sleep(interval_s)

    async def _look(self, *, renew_for_s: float | None) -> None:
        async with self._sessions.begin() as session:
            states = await leases.check(session, list(self._kept), renew_for_s=renew_for_s)
        for lease, state in states.items():
            if (interruption := self._kept.get(lease)) is not None:
                _react(lease, state, interruption)


def _react(lease: Lease, state: LeaseState, interruption: Interruption) -> None:
    if not state.is_held:
        interruption.stop(LeaseLost(lease.task_id))
    elif state.is_cancelled:
        interruption.stop(WorkStopped("cancelled on request while it ran"))
