"""Which child does a job: a new one, or one that has done others before."""

import asyncio
from collections.abc import Callable
from multiprocessing.util import Finalize
from threading import Lock
from typing import Any, Final

from lexiclass_worker.config import SandboxSettings
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.sandbox import process
from lexiclass_worker.sandbox.access import Grant, grant
from lexiclass_worker.sandbox.memory import Limits, thread_limit
from lexiclass_worker.sandbox.native_threads import available_cores
from lexiclass_worker.sandbox.process import EXIT_GRACE_S, Child, JobNotBegun, Report
from lexiclass_worker.sandbox.questions import Supervisor, Unsupervised
from lexiclass_worker.sandbox.replies import ModelLookup, Reply

# Of so many at a time.
_PROJECTS: Final = 4


class Sandbox:
    """Runs jobs. See :mod:`lexiclass_worker.sandbox`, which has one for the process.

    A job whose type says ``reuses_child`` goes to the child of the same access that has waited the
    shortest, whose models are the likeliest to be still there. It is replaced after its share of
    jobs, when it has grown too much, and after anything that leaves its state in doubt. All other
    jobs have a child for themselves. Children of several projects may wait, as far as together they
    have not grown more than those of one may.

    Args:
        settings: How long children live and what they keep.
        memory_limit_bytes: What one job may take; None for no limit.
        kept: Children of one project that may wait for work, at most.
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
        self._changing = Lock()
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
        supervisor: Supervisor | None = None,
    ) -> dict[str, Any]:
        """See :func:`lexiclass_worker.sandbox.run`."""
        reply = await self._do(job, on_progress or _ignore, supervisor or Unsupervised())
        for lookup in reply.lookups:
            self._on_model_lookup(lookup)
        if reply.error is not None:
            raise reply.error
        return reply.result

    def close(self) -> None:
        """See :func:`lexiclass_worker.sandbox.close`."""
        self._kept = 0
        process.end_all(self._waiting)

    async def _do(self, job: Job, report: Report, supervisor: Supervisor) -> Reply:
        granted = grant(job.access)
        if job.reuses_child:
            while (child := self._take_waiting(granted)) is not None:
                try:
                    return await self._do_in(child, job, report, supervisor)
                except JobNotBegun:
                    continue
        return await self._do_in(await self._start(granted), job, report, supervisor)

    async def _do_in(self, child: Child, job: Job, report: Report, supervisor: Supervisor) -> Reply:
        try:
            reply = await child.do(job, report, supervisor, self._limits(job))
        except BaseException:
            await child.end(grace_s=0)
            raise
        is_usable = job.reuses_child and reply.leaves_child_usable
        for left in self._keep(child) if is_usable else [child]:
            await left.end(grace_s=EXIT_GRACE_S)
        return reply

    async def _start(self, granted: Grant) -> Child:
        starting = asyncio.create_task(asyncio.to_thread(Child.start, self._settings, granted))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread starts the child all the same; nobody but this coroutine can stop it.
            child = await starting
            await child.end(grace_s=0)
            raise

    def _limits(self, job: Job) -> Limits:
        threads = thread_limit(job.access.num_processes, available_cores())
        return Limits(memory_bytes=self._memory_limit_bytes, threads=threads)

    def _take_waiting(self, granted: Grant) -> Child | None:
        with self._changing:
            dead = [child for child in self._waiting if not child.is_alive]
            fitting = [
                child for child in self._waiting if child.granted == granted and child not in dead
            ]
            for child in (*dead, *fitting[-1:]):
                self._waiting.remove(child)
        for child in dead:
            child.end_now(grace_s=0)
        return fitting[-1] if fitting else None

    def _keep(self, child: Child) -> list[Child]:
        """Let a child wait for work; returns those that are to end, it or others."""
        settings = self._settings
        growth_bytes = settings.model_cache_bytes + settings.growth_bytes
        with self._changing:
            alike = [other for other in self._waiting if other.granted == child.granted]
            if (
                len(alike) >= self._kept
                or child.jobs_done >= settings.jobs_per_child
                or child.growth_bytes > growth_bytes
            ):
                return [child]
            self._waiting.append(child)
            left = []
            while (
                len(self._waiting) > self._kept * _PROJECTS
                or sum(each.growth_bytes for each in self._waiting) > self._kept * growth_bytes
            ):
                left.append(self._waiting.pop(0))
            return left


def _ignore(stage: str, done: int, total: int) -> None:
    del stage, done, total
