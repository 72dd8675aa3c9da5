"""Which child does a job: a new one, or one that has done others before."""

import asyncio
import time
from collections.abc import Callable, Collection
from multiprocessing.util import Finalize
from threading import Lock
from typing import Any, Final, Self

from loguru import logger

from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.jobs.supervision import ReportProgress
from lexiclass_worker.preflight import require_containment
from lexiclass_worker.sandbox.access import Grant, grant
from lexiclass_worker.sandbox.memory import (
    Limits,
    can_measure,
    default_memory_limit,
    thread_limit,
)
from lexiclass_worker.sandbox.native_threads import available_cores, limit_native_threads
from lexiclass_worker.sandbox.process import EXIT_GRACE_S, Child, JobNotBegun
from lexiclass_worker.sandbox.questions import Supervisor, Unsupervised
from lexiclass_worker.sandbox.replies import ModelLookup, Reply
from lexiclass_worker.sandbox.starting import FORK_SERVER
from lexiclass_worker.setting_groups import SandboxSettings

_END_ALL_GRACE_S: Final = 0.5

# Of so many at a time.
_PROJECTS: Final = 4


class Sandbox:
    """Runs jobs. A worker has one; a script that calls a service gets one with the defaults.

    A job whose type says ``reuses_child`` goes to the child of the same access that has waited the
    shortest, whose models are the likeliest to be still there. It is replaced after its share of
    jobs, when it has grown too much, and after anything that leaves its state in doubt. All other
    jobs have a child for themselves. Children of several projects may wait, as far as together they
    have not grown more than those of one may.

    Args:
        settings: How long children live and what they keep.
        memory_limit_bytes: What one job may take; None for no limit.
        kept: Children of one project that may wait for work, at most.
        on_model_lookup: Called each time a job found the model it needs in its child, or did not.
        on_memory_peak: Called after each job with its function and the most memory it took, in
            bytes.
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        *,
        memory_limit_bytes: int | None = None,
        kept: int = 1,
        on_model_lookup: Callable[[ModelLookup], None] = lambda _: None,
        on_memory_peak: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._settings = SandboxSettings() if settings is None else settings
        self.memory_limit_bytes = memory_limit_bytes
        self._kept = kept
        self._on_model_lookup = on_model_lookup
        self._on_memory_peak = on_memory_peak
        self._waiting: list[Child] = []
        self._changing = Lock()
        # At its end a process waits for its children: these would wait for work meanwhile.
        Finalize(self, _end_all, args=(self._waiting,), exitpriority=1)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        tasks: int,
        on_model_lookup: Callable[[ModelLookup], None] = lambda _: None,
        on_memory_peak: Callable[[str, int], None] = lambda *_: None,
    ) -> Self:
        """The sandbox of a process that runs so many tasks side by side.

        As many children are kept for reuse, and among as many the cores are shared out.

        Raises:
            ConfigurationError: If LIMITS__MEMORY_BYTES is set where memory cannot be measured, or
                SANDBOX__CONTAINMENT is "required" where the kernel cannot see to it.
        """
        in_force = require_containment(settings.sandbox)
        logger.info("In force where documents and models are read: {}", in_force)
        memory_bytes = settings.limits.memory_bytes
        if memory_bytes and not can_measure():
            raise ConfigurationError(
                "LIMITS__MEMORY_BYTES cannot be kept here: it needs Linux and its /proc"
            )
        limit_native_threads(settings.sandbox.native_threads, tasks=tasks)
        limit = default_memory_limit(tasks) if memory_bytes is None else memory_bytes or None
        return cls(
            settings.sandbox,
            memory_limit_bytes=limit,
            kept=tasks,
            on_model_lookup=on_model_lookup,
            on_memory_peak=on_memory_peak,
        )

    def warm_up(self, modules: Collection[str] = ()) -> None:
        """Start the fork server and wait until it has the libraries.

        Call it once a process before the first :meth:`run`: the start blocks for seconds, and an
        interrupt in the middle of it would leave a child without a parent that knows it. Children
        find ``modules`` loaded beside what the jobs of this package need.

        Raises:
            InternalError: If the libraries cannot be imported; the reason is in the log.
        """
        FORK_SERVER.start(modules)

    async def run(
        self,
        job: Job,
        *,
        on_progress: ReportProgress | None = None,
        supervisor: Supervisor | None = None,
    ) -> dict[str, Any]:
        """Do a job in a child and return its result.

        Cancelling the coroutine stops the child, in a C call or not, before the cancellation goes
        on.

        ``on_progress`` is called in the event loop with what the child reports. ``supervisor``
        answers what it asks; what that raises ends the child and comes out here.

        Raises:
            WorkerError: What the function failed with, under its own code.
            MemoryLimitReached: If the child took more memory than it may.
            SandboxCrashed: If the child died; details hold its exit code or signal, the memory it
                had taken and what it had reported last.
        """
        reply = await self._do(job, on_progress or _ignore, supervisor or Unsupervised())
        for lookup in reply.lookups:
            self._on_model_lookup(lookup)
        if reply.error is not None:
            raise reply.error
        return reply.result

    def close(self) -> None:
        """End the children that wait for work, at once. Later jobs are done in new ones."""
        with self._changing:
            self._kept = 0
            waiting = self._waiting.copy()
            self._waiting.clear()
        _end_all(waiting)

    async def _do(self, job: Job, report: ReportProgress, supervisor: Supervisor) -> Reply:
        granted = grant(job.access)
        if job.reuses_child:
            while (child := self._take_waiting(granted)) is not None:
                try:
                    return await self._do_in(child, job, report, supervisor)
                except JobNotBegun:
                    continue
        return await self._do_in(await self._start(granted), job, report, supervisor)

    async def _do_in(
        self, child: Child, job: Job, report: ReportProgress, supervisor: Supervisor
    ) -> Reply:
        try:
            reply = await child.do(job, report, supervisor, self._limits(job))
        except BaseException as error:
            if not isinstance(error, JobNotBegun):
                self._on_memory_peak(job.function, child.peak_memory_bytes)
            await child.end(grace_s=0)
            raise
        self._on_memory_peak(job.function, child.peak_memory_bytes)
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
        return Limits(memory_bytes=self.memory_limit_bytes, threads=threads)

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


def _ignore(_stage: str, _done: int, _total: int) -> None:
    pass


def _end_all(waiting: list[Child]) -> None:
    """End children that wait for work and empty the list, all within a grace."""
    children = waiting.copy()
    waiting.clear()
    deadline = time.monotonic() + _END_ALL_GRACE_S
    for child in children:
        child.dismiss()
    for child in children:
        child.end_now(grace_s=max(0.0, deadline - time.monotonic()))
