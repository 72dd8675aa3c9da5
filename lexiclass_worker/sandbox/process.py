"""A child process as the worker sees it."""

import asyncio
import importlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final, Self

from lexiclass_worker.config import SandboxSettings
from lexiclass_worker.errors import InternalError
from lexiclass_worker.ml.jobs import Job
from lexiclass_worker.sandbox import child, frames
from lexiclass_worker.sandbox.child_logs import log_for_child
from lexiclass_worker.sandbox.memory import MemoryMeter, read_memory
from lexiclass_worker.sandbox.notes import Notes
from lexiclass_worker.sandbox.replies import LastWords, Reply, crash, read_reply, too_much_memory
from lexiclass_worker.sandbox.starting import start

Report = Callable[[str, int, int], None]
Permission = Callable[[], Awaitable[None]]

# Loaded once by the fork server; a child that imported them itself would take seconds.
_PRELOAD: Final = [
    "lexiclass.plugins.classifiers.liblinear",
    "lexiclass_worker.ml.evaluation",
    "lexiclass_worker.ml.failures",
    "lexiclass_worker.ml.indexing",
    "lexiclass_worker.ml.models",
    "lexiclass_worker.ml.prediction",
    "lexiclass_worker.ml.training",
    "lexiclass_worker.ml.verification",
    "lexiclass_worker.sandbox.child",
    # The last: it prepares what is loaded for being shared.
    "lexiclass_worker.sandbox.fork_server",
]

# One that has nothing left to do ends by itself, and one that dies is soon gone: only giving back
# much memory takes time.
EXIT_GRACE_S: Final = 2.0
_LAST_WORDS_S: Final = 0.2
_END_ALL_GRACE_S: Final = 0.5

# More than the processes of any job, on which the notes of what they read depend.
_NOTES: Final = 256


class JobNotBegun(Exception):
    """A child that had waited for work was gone before it took the job."""


class Child:
    """A process that does jobs, one at a time."""

    def __init__(self, process: ForkServerProcess, channel: socket.socket, notes: Notes) -> None:
        self._process = process
        self._channel = channel
        self._notes = notes
        self._pid: int = process.pid or 0
        self._memory_at_start = read_memory(self._pid)
        self.jobs_done = 0

    @classmethod
    def start(cls, settings: SandboxSettings) -> Self:
        """Start one; takes some milliseconds, or seconds where the fork server does not run."""
        ours, theirs = socket.socketpair()
        notes = Notes(_NOTES)
        process = _context().Process(
            target=child.serve,
            args=(theirs, notes),
            kwargs={
                "idle_s": settings.idle_s,
                "model_cache_bytes": settings.model_cache_bytes,
                "log_level": logging.getLogger().getEffectiveLevel(),
            },
            name="sandbox",
            # A job may have processes of its own, which a daemon may not.
            daemon=False,
        )
        try:
            start(process)
        except BaseException:
            ours.close()
            raise
        finally:
            # The child holds the only other end: its death is the end of the channel.
            theirs.close()
            notes.close_file()
        ours.setblocking(False)  # noqa: FBT003 - the standard library's
        return cls(process, ours, notes)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    @property
    def growth_bytes(self) -> int:
        """Memory it has gained since it was started."""
        return read_memory(self._pid) - self._memory_at_start

    async def do(
        self,
        job: Job,
        report: Report,
        permission: Permission,
        *,
        memory_limit_bytes: int | None,
    ) -> Reply:
        """Do a job. After an exception the child is good for nothing more: end it.

        Raises:
            Exception: What ``permission`` raises.
            JobNotBegun: If it had done other jobs and was gone before it took this one.
            SandboxCrashed: If it died.
            MemoryLimitReached: If it took too much and has been killed.
        """
        meter, words = MemoryMeter(self._pid), LastWords()
        talking = asyncio.create_task(self._talk(job, report, permission, words))
        exceeding = asyncio.create_task(meter.exceed(memory_limit_bytes))
        try:
            with self._death() as death:
                events: set[asyncio.Future[Any]] = {talking, exceeding, death}
                await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
                if death.done():
                    # What it sent before is still there to be read.
                    await asyncio.wait({talking}, timeout=_LAST_WORDS_S)
                meter.sample()
                words.peak_memory_bytes = meter.peak_bytes
                words.document_ids = self._documents()
                if talking.done() and (message := talking.result()) is not None:
                    self.jobs_done += 1
                    return read_reply(message, words)
                if exceeding.done() and memory_limit_bytes is not None:
                    raise too_much_memory(memory_limit_bytes, words)
                await asyncio.wait({death}, timeout=EXIT_GRACE_S)
                if self.jobs_done and not words.has_begun:
                    raise JobNotBegun
                raise crash(self._process.exitcode, words)
        finally:
            talking.cancel()
            exceeding.cancel()
            await asyncio.wait({talking, exceeding})

    async def end(self, *, grace_s: float) -> None:
        """Let it end by itself, or by force when a grace is over; returns when it has ended."""
        await asyncio.shield(asyncio.to_thread(self.end_now, grace_s=grace_s))

    def end_now(self, *, grace_s: float) -> None:
        """What :meth:`end` does, outside an event loop."""
        self.dismiss()
        self._process.join(grace_s)
        self._kill_group()
        self._process.kill()
        self._process.join()
        # Again: what it may have started between the two.
        self._kill_group()
        self._process.close()

    def dismiss(self) -> None:
        """Tell it that no more work will come, without waiting."""
        self._channel.close()

    def _documents(self) -> list[int]:
        """What each of its processes had read last."""
        return self._notes.document_ids()

    async def _talk(
        self, job: Job, report: Report, permission: Permission, words: LastWords
    ) -> dict[str, Any] | None:
        """Give it the job and listen until the last message; None if the channel ends before."""
        loop = asyncio.get_running_loop()
        try:
            # Not in a thread, which would hold the interpreter all the same.
            await frames.send_async(self._channel, ForkingPickler.dumps(job))
            while True:
                message = json.loads(await frames.receive_async(self._channel))
                if "progress" in message:
                    words.progress = tuple(message["progress"])
                    loop.call_soon(report, *words.progress)
                elif "log" in message:
                    log_for_child(message["log"])
                elif "asks" in message:
                    await permission()
                    await frames.send_async(self._channel, b"yes")
                elif "begun" in message:
                    words.has_begun = True
                else:
                    return dict(message)
        except (EOFError, ConnectionError):
            return None

    @contextmanager
    def _death(self) -> Iterator[asyncio.Future[None]]:
        """A future that is done when the process is gone.

        The channel alone does not tell: what the job has started may hold its other end.
        """
        loop = asyncio.get_running_loop()
        death: asyncio.Future[None] = loop.create_future()
        sentinel = self._process.sentinel

        def note() -> None:
            loop.remove_reader(sentinel)
            if not death.done():
                death.set_result(None)

        loop.add_reader(sentinel, note)
        try:
            yield death
        finally:
            loop.remove_reader(sentinel)
            death.cancel()

    def _kill_group(self) -> None:
        # Not there yet in a child that has just begun, and no more when all have ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)


def end_all(waiting: list[Child]) -> None:
    """End children that wait for work and empty the list, all within a grace."""
    children = waiting.copy()
    waiting.clear()
    deadline = time.monotonic() + _END_ALL_GRACE_S
    for child_process in children:
        child_process.dismiss()
    for child_process in children:
        child_process.end_now(grace_s=max(0.0, deadline - time.monotonic()))


def warm_up() -> None:
    """See :func:`lexiclass_worker.sandbox.warm_up`."""
    process = _context().Process(target=_import_libraries, name="sandbox-warm-up")
    start(process)
    process.join()
    if process.exitcode != 0:
        raise InternalError("the libraries of the sandbox cannot be imported")
    process.close()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def _import_libraries() -> None:
    # The fork server skips what it cannot import, in silence.
    for module in _PRELOAD:
        importlib.import_module(module)
