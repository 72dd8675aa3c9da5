"""A child process as the worker sees it."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Final, Self

from lexiclass_worker.artifacts.gateway import Gateway
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.jobs.supervision import ReportProgress
from lexiclass_worker.sandbox import frames
from lexiclass_worker.sandbox.access import Grant
from lexiclass_worker.sandbox.child_logs import ChildLog
from lexiclass_worker.sandbox.memory import Limits, Meter, read_memory
from lexiclass_worker.sandbox.notes import Notes
from lexiclass_worker.sandbox.printed import OutputPipe
from lexiclass_worker.sandbox.questions import Supervisor, answer
from lexiclass_worker.sandbox.replies import (
    CrashReport,
    Reply,
    crash,
    read_message,
    read_progress,
    read_reply,
    too_many_threads,
    too_much_memory,
)
from lexiclass_worker.sandbox.starting import FORK_SERVER, ForkedProcess
from lexiclass_worker.setting_groups import SandboxSettings

# One that has nothing left to do ends by itself, and one that dies is soon gone: only giving back
# much memory takes time.
EXIT_GRACE_S: Final = 2.0
_LAST_MESSAGE_S: Final = 0.2

# Between one remark of a child and the next: it may talk without end, and a socket that always has
# something gives nobody else a turn. A child says a few things in a second.
_REMARK_PAUSE_S: Final = 0.001

# More than the processes of any job, on which the notes of what they read depend.
_NOTES: Final = 256

_TO_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READABLE: Final = 0o666  # as far as the umask lets others read


class JobNotBegun(Exception):
    """A child that had waited for work was gone before it took the job."""


class Child:
    """A process that does jobs, one at a time.

    Attributes:
        granted: What it has access to.
        jobs_done: How many it has done.
        peak_memory_bytes: The most that its last job was seen to take.
    """

    def __init__(
        self, process: ForkedProcess, channel: socket.socket, notes: Notes, granted: Grant
    ) -> None:
        self._process = process
        self._channel = channel
        self._notes = notes
        self._memory_at_start = read_memory(process.pid)
        self.granted = granted
        self.jobs_done = 0
        self.peak_memory_bytes = 0

    @classmethod
    def start(cls, settings: SandboxSettings, granted: Grant) -> Self:
        """Start one; takes some milliseconds, or seconds where the fork server does not run."""
        ours, theirs = socket.socketpair()
        notes = Notes(_NOTES)
        output = OutputPipe()
        request = {
            "reach": None if settings.containment == "off" else granted.as_reach(),
            "root": granted.root,
            "idle_s": settings.idle_s,
            "model_cache_bytes": settings.model_cache_bytes,
            "log_level": logging.getLogger().getEffectiveLevel(),
        }
        try:
            process = FORK_SERVER.fork(
                request, (theirs.fileno(), notes.descriptor, output.write_end)
            )
        except BaseException:
            ours.close()
            raise
        finally:
            # The child holds the only other end: its death is the end of the channel.
            theirs.close()
            notes.close_file()
            output.close()
        ours.setblocking(False)  # noqa: FBT003 - the standard library's
        return cls(process, ours, notes, granted)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive

    @property
    def growth_bytes(self) -> int:
        """Memory it has gained since it was started."""
        return read_memory(self._process.pid) - self._memory_at_start

    async def do(
        self,
        job: Job,
        report: ReportProgress,
        supervisor: Supervisor,
        limits: Limits,
    ) -> Reply:
        """Do a job. After an exception the child is good for nothing more: end it.

        Raises:
            Exception: What ``supervisor`` raises.
            JobNotBegun: If it had done other jobs and was gone before it took this one.
            SandboxCrashed: If it died.
            MemoryLimitReached: If it took too much and has been killed.
            SandboxFailure: If it had too many threads and processes, and has been killed.
        """
        meter, crash_report = Meter(self._process.pid, limits), CrashReport()
        project = supervisor.stored_project()
        gateway = None if project is None else Gateway(project, job.access.num_processes)
        conversation = asyncio.create_task(
            self._talk(job, report, supervisor, gateway, crash_report)
        )
        exceeding = asyncio.create_task(meter.exceed())
        try:
            with self._death() as death:
                events: set[asyncio.Future[Any]] = {conversation, exceeding, death}
                await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
                if death.done():
                    # What it sent before is still there to be read.
                    await asyncio.wait({conversation}, timeout=_LAST_MESSAGE_S)
                meter.sample()
                crash_report.peak_memory_bytes = meter.peak_bytes
                crash_report.document_ids = self._notes.document_ids()
                if conversation.done() and (message := conversation.result()) is not None:
                    self.jobs_done += 1
                    return read_reply(message, crash_report)
                if exceeding.done():
                    raise _exceeded(meter, limits, crash_report)
                await asyncio.wait({death}, timeout=EXIT_GRACE_S)
                if self.jobs_done and not crash_report.has_begun:
                    raise JobNotBegun
                raise crash(self._process.exit_code, crash_report)
        finally:
            self.peak_memory_bytes = meter.peak_bytes
            conversation.cancel()
            exceeding.cancel()
            await asyncio.wait({conversation, exceeding})
            if gateway is not None:
                gateway.close()

    async def end(self, *, grace_s: float) -> None:
        """Let it end by itself, or by force when a grace is over; returns when it has ended."""
        await asyncio.shield(asyncio.to_thread(self.end_now, grace_s=grace_s))

    def end_now(self, *, grace_s: float) -> None:
        """What :meth:`end` does, outside an event loop."""
        self.dismiss()
        self._process.join(grace_s)
        self._process.kill()
        self._process.join()
        self._process.close()

    def dismiss(self) -> None:
        """Tell it that no more work will come, without waiting."""
        self._channel.close()

    async def _talk(
        self,
        job: Job,
        report: ReportProgress,
        supervisor: Supervisor,
        gateway: Gateway | None,
        crash_report: CrashReport,
    ) -> dict[str, Any] | None:
        """Give it the job and listen until the last message; None if the channel ends before."""
        loop = asyncio.get_running_loop()
        log = ChildLog()
        try:
            # Not in a thread, which would hold the interpreter all the same.
            with _opened(job.access.outputs) as outputs:
                if gateway is not None:
                    outputs.append(gateway.childs.detach())
                await frames.send_async(self._channel, ForkingPickler.dumps(job), outputs)
            while True:
                message = read_message(await frames.receive_async(self._channel))
                if "progress" in message:
                    crash_report.progress = read_progress(message["progress"])
                    loop.call_soon(report, *crash_report.progress)
                elif "log" in message:
                    log.take(message["log"])
                elif "asks" in message:
                    await frames.send_async(
                        self._channel, await answer(message["asks"], supervisor)
                    )
                elif "begun" in message:
                    crash_report.has_begun = True
                else:
                    return dict(message)
                await asyncio.sleep(_REMARK_PAUSE_S)
        except frames.ChannelClosed:
            return None
        finally:
            log.end()

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


def _exceeded(meter: Meter, limits: Limits, crash_report: CrashReport) -> WorkerError:
    if meter.has_too_many_threads or limits.memory_bytes is None:
        return too_many_threads(meter.num_threads, limits.threads, crash_report)
    return too_much_memory(limits.memory_bytes, crash_report)


@contextmanager
def _opened(outputs: Iterable[Path]) -> Iterator[list[int]]:
    """Descriptors of files that a job writes, for as long as it takes to send them."""
    descriptors: list[int] = []
    try:
        descriptors.extend(os.open(path, _TO_WRITE, _READABLE) for path in outputs)
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
