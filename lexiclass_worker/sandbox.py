"""Runs a job of :mod:`lexiclass_worker.ml` in a child process.

Only a process can be stopped inside a C call, and only a process of its own can be lost to the
out-of-memory killer without taking the worker along. Children come from a fork server that has
the libraries loaded, so that one starts in milliseconds. What a child sends back is JSON: nothing
that parsed a foreign file can make the worker unpickle anything.
"""

import asyncio
import importlib
import json
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, Final

from loguru import logger

from lexiclass_core.codes import ErrorCode
from lexiclass_core.schemas import TaskError
from lexiclass_worker.errors import (
    InternalError,
    SandboxCrashed,
    SandboxFailure,
    StorageUnavailable,
    WorkerError,
)
from lexiclass_worker.ml.jobs import Job

# Loaded once by the fork server; a child that imported them itself would take seconds.
_PRELOAD: Final = [
    "lexiclass.plugins.classifiers.liblinear",
    "lexiclass_worker.ml.evaluation",
    "lexiclass_worker.ml.failures",
    "lexiclass_worker.ml.indexing",
    "lexiclass_worker.ml.prediction",
    "lexiclass_worker.ml.training",
]

_EXIT_GRACE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: dict[str, Any] | None = None
    error: WorkerError | None = None


def warm_up() -> None:
    """Start the fork server and wait until it has the libraries.

    Call it once a process before the first :func:`run`: the start blocks for seconds, and an
    interrupt in the middle of it would leave a child without a parent that knows it.

    Raises:
        InternalError: If the libraries cannot be imported; the reason is on standard error.
    """
    process = _context().Process(target=_import_libraries, name="sandbox-warm-up")
    process.start()
    process.join()
    if process.exitcode != 0:
        raise InternalError("the libraries of the sandbox cannot be imported")
    process.close()


async def run(
    job: Job,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Do a job in a child and return its result.

    Cancelling the coroutine stops the child, in a C call or not, before the cancellation goes on.

    Args:
        job: A dataclass of plain values that names its function.
        on_progress: Called in the event loop with what the child reports.

    Raises:
        WorkerError: What the function failed with, under its own code.
        SandboxCrashed: If the child died; details hold its exit code or signal.
    """
    loop = asyncio.get_running_loop()

    def report(stage: str, done: int, total: int) -> None:
        if on_progress is not None:
            loop.call_soon_threadsafe(on_progress, stage, done, total)

    starting = asyncio.create_task(asyncio.to_thread(_start, job))
    try:
        reader, process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread starts the child all the same; nobody but this coroutine can stop it.
        reader, process = await starting
        process.kill()
        await asyncio.to_thread(_reap, reader, process)
        raise
    receiving = asyncio.create_task(asyncio.to_thread(_receive, reader, process, report))
    try:
        outcome = await asyncio.shield(receiving)
    finally:
        if not receiving.done():
            # Killing the child ends the pipe, and with it the thread that reads from it.
            process.kill()
            await asyncio.wait([receiving])
        await asyncio.to_thread(_reap, reader, process)
    if outcome.error is not None:
        raise outcome.error
    return outcome.result or {}


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def _import_libraries() -> None:
    # The fork server skips what it cannot import, in silence.
    for module in _PRELOAD:
        importlib.import_module(module)


def _start(job: Job) -> tuple[Connection, ForkServerProcess]:
    context = _context()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(
        target=_serve, args=(writer, job), name=f"sandbox-{type(job).__name__}"
    )
    try:
        process.start()
    except BaseException:
        reader.close()
        raise
    finally:
        # The child holds the only writing end: its death is the end of the pipe.
        writer.close()
    return reader, process


def _receive(
    reader: Connection, process: ForkServerProcess, report: Callable[[str, int, int], None]
) -> _Outcome:
    """Read until the child has said how it ended, or has ended without saying."""
    while True:
        try:
            message = json.loads(reader.recv_bytes())
        except (EOFError, OSError):  # OSError: the pipe ended in the middle of a message
            process.join()
            return _Outcome(error=_crash(process.exitcode))
        if "progress" in message:
            report(*message["progress"])
        elif "result" in message:
            return _Outcome(result=message["result"])
        else:
            logger.error(
                "The work failed in the sandbox:\n{traceback}", traceback=message["traceback"]
            )
            return _Outcome(error=_failure(TaskError.model_validate(message["error"])))


def _reap(reader: Connection, process: ForkServerProcess) -> None:
    # A child that has said how it ended has nothing left to do.
    process.join(_EXIT_GRACE_S)
    process.kill()
    process.join()
    process.close()
    reader.close()


def _crash(exit_code: int | None) -> SandboxCrashed:
    if exit_code is not None and exit_code < 0:
        cause = f"was killed by {signal.Signals(-exit_code).name}"
    else:
        cause = f"ended with exit code {exit_code}"
    return SandboxCrashed(
        f"the process that did the work {cause} before it was done",
        details={"exit_code": exit_code},
    )


def _failure(error: TaskError) -> WorkerError:
    match error.code:
        case ErrorCode.STORAGE_ERROR if error.retryable:
            return StorageUnavailable(error.message, details=error.details)
        case ErrorCode.INTERNAL_ERROR:
            return InternalError(error.message, details=error.details)
        case _:
            return SandboxFailure(ErrorCode(error.code), error.message, details=error.details)


def _serve(writer: Connection, job: Job) -> None:
    """The child: do the work, say how it ended."""
    _end_with_parent()

    def report(stage: str, done: int, total: int) -> None:
        _send(writer, {"progress": [stage, done, total]})

    try:
        module, _, name = job.function.partition(":")
        result = getattr(importlib.import_module(module), name)(job, report)
        _send(writer, {"result": result})
    except Exception as error:  # noqa: BLE001 - the boundary: everything is told to the parent
        from lexiclass_worker.ml.failures import describe  # noqa: PLC0415

        _send(
            writer,
            {"error": describe(error).model_dump(), "traceback": traceback.format_exc(limit=30)},
        )


def _send(writer: Connection, message: dict[str, Any]) -> None:
    writer.send_bytes(json.dumps(message).encode())


def _end_with_parent() -> None:
    """End when the worker does: the fork server would keep an orphan alive."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("the sandbox runs in a child process only")
    sentinel = parent.sentinel

    def watch() -> None:
        multiprocessing.connection.wait([sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
