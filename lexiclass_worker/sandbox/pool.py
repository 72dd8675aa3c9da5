"""Which child does a job: a new one, or one that has done others before."""

import asyncio
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Any

from lexiclass_worker.config import SandboxSettings
from lexiclass_worker.ml.jobs import Job
from lexiclass_worker.sandbox import process
from lexiclass_worker.sandbox.process import EXIT_GRACE_S, Child, JobNotBegun, Permission, Report
from lexiclass_worker.sandbox.replies import ModelLookup, Reply


class Sandbox:
    """Runs jobs. See :mod:`lexiclass_worker.sandbox`, which has one for the process.

    A job whose type says ``reuses_child`` goes to the child that has waited the shortest, whose
    models are the likeliest to be still there. It is replaced after its share of jobs, when it has
    grown too much, and after anything that leaves its state in doubt. All other jobs have a child
    for themselves.

    Args:
        settings: How long children live and what they keep.
        memory_limit_bytes: What one job may take; None for no limit.
        kept: Children that may wait for work, at most.
        on_model_lookup: Told of each look-up of a loaded model.
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        *,
        memory_limit_bytes: int | None = None,
        kept: int = 1,
        on_model_lookup: Callable[[ModelLookup], None] = lambda _: None,
    ) -> None:
        self._settings = SandboxSettings() if settings is None else settings
        self._memory_limit_bytes = memory_limit_bytes
        self._kept = kept
        self._on_model_lookup = on_model_lookup
        self._waiting: list[Child] = []
        # At its end a process waits for its children: these would wait for work meanwhile.
        Finalize(self, process.end_all, args=(self._waiting,), exitpriority=1)

    def warm_up(self) -> None:
        """See :func:`lexiclass_worker.sandbox.warm_up`."""
        process.warm_up()

    async def run(
        self,
        job: Job,
        *,
        on_progress: Report | None = None,
        permission: Permission | None = None,
    ) -> dict[str, Any]:
        """See :func:`lexiclass_worker.sandbox.run`."""
        reply = await self._do(job, on_progress or _ignore, permission or _allow)
        for lookup in reply.lookups:
            self._on_model_lookup(lookup)
        if reply.error is not None:
            raise reply.error
        return reply.result

    def close(self) -> None:
        """See :func:`lexiclass_worker.sandbox.close`."""
        self._kept = 0
        process.end_all(self._waiting)

    async def _do(self, job: Job, report: Report, permission: Permission) -> Reply:
        if job.reuses_child:
            while (child := self._take_waiting()) is not None:
                try:
                    return await self._do_in(child, job, report, permission)
                except JobNotBegun:
                    continue
        return await self._do_in(await self._start(), job, report, permission)

    async def _do_in(self, child: Child, job: Job, report: Report, permission: Permission) -> Reply:
        try:
            reply = await child.do(
                job, report, permission, memory_limit_bytes=self._memory_limit_bytes
            )
        except BaseException:
            await child.end(grace_s=0)
            raise
        if job.reuses_child and reply.leaves_child_usable and self._is_worth_keeping(child):
            self._waiting.append(child)
        else:
            await child.end(grace_s=EXIT_GRACE_S)
        return reply

    async def _start(self) -> Child:
        starting = asyncio.create_task(asyncio.to_thread(Child.start, self._settings))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread starts the child all the same; nobody but this coroutine can stop it.
            child = await starting
            await child.end(grace_s=0)
            raise

    def _take_waiting(self) -> Child | None:
        while self._waiting:
            child = self._waiting.pop()
            if child.is_alive:
                return child
            child.end_now(grace_s=0)
        return None

    def _is_worth_keeping(self, child: Child) -> bool:
        settings = self._settings
        return (
            len(self._waiting) < self._kept
            and child.jobs_done < settings.jobs_per_child
            and child.growth_bytes <= settings.model_cache_bytes + settings.growth_bytes
        )


def _ignore(stage: str, done: int, total: int) -> None:
    del stage, done, total


async def _allow() -> None:
    """What nobody else can do meanwhile needs no permission."""
