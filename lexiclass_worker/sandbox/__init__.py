"""Runs a job of :mod:`lexiclass_worker.ml` in a child process.

Only a process can be stopped inside a C call, and only a process of its own can be lost to the
out-of-memory killer without taking the worker along. Children come from a fork server that has
the libraries loaded, so that one starts in milliseconds. What a child sends back is JSON: nothing
that parsed a foreign file can make the worker unpickle anything.
"""

from collections.abc import Callable
from typing import Any

from loguru import logger

from lexiclass_worker.config import ConfigurationError, LimitSettings, Settings
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.preflight import require_containment
from lexiclass_worker.sandbox.memory import can_measure, default_memory_limit
from lexiclass_worker.sandbox.native_threads import limit_native_threads
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.sandbox.questions import Supervisor
from lexiclass_worker.sandbox.replies import ModelLookup

# One for the process, as its fork server is. A script that configures nothing gets the defaults.
_sandbox = Sandbox()
_default_memory_limit: int | None = None


def configure(
    settings: Settings,
    *,
    tasks: int,
    on_model_lookup: Callable[[ModelLookup], None] = lambda _: None,
) -> None:
    """Set up this process's sandbox, before the first job.

    Args:
        settings: The worker's settings.
        tasks: Tasks that the process runs side by side: as many children are kept for reuse, and
            among as many the cores are shared out.
        on_model_lookup: Told each time a job found the model it needs in its child, or did not.

    Raises:
        ConfigurationError: If LIMITS__MEMORY_BYTES is set where memory cannot be measured, or
            SANDBOX__CONTAINMENT is "required" where the kernel cannot see to it.
    """
    in_force = require_containment(settings.sandbox, settings.storage.base_path)
    logger.info("In force where documents and models are read: {}", in_force)
    if settings.limits.memory_bytes and not can_measure():
        raise ConfigurationError(
            "LIMITS__MEMORY_BYTES cannot be kept here: it needs Linux and its /proc"
        )
    global _sandbox, _default_memory_limit  # noqa: PLW0603 - see above
    _sandbox.close()
    _default_memory_limit = default_memory_limit(tasks)
    limit_native_threads(settings.sandbox.native_threads, tasks=tasks)
    _sandbox = Sandbox(
        settings.sandbox,
        memory_limit_bytes=memory_limit(settings.limits),
        kept=tasks,
        on_model_lookup=on_model_lookup,
    )


def memory_limit(limits: LimitSettings) -> int | None:
    """What one task may take, in bytes; None for no limit.

    Where nothing is set it is the default that :func:`configure` has found for this machine.
    """
    if limits.memory_bytes is None:
        return _default_memory_limit
    return limits.memory_bytes or None


def warm_up() -> None:
    """Start the fork server and wait until it has the libraries.

    Call it once a process before the first :func:`run`: the start blocks for seconds, and an
    interrupt in the middle of it would leave a child without a parent that knows it.

    Raises:
        InternalError: If the libraries cannot be imported; the reason is in the log.
    """
    _sandbox.warm_up()


async def run(
    job: Job,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
    supervisor: Supervisor | None = None,
) -> dict[str, Any]:
    """Do a job in a child and return its result.

    Cancelling the coroutine stops the child, in a C call or not, before the cancellation goes on.

    Args:
        job: A dataclass of plain values that names its function.
        on_progress: Called in the event loop with what the child reports.
        supervisor: Answers what the child asks; what it raises ends the child and comes out here.

    Raises:
        WorkerError: What the function failed with, under its own code.
        MemoryLimitReached: If the child took more memory than LIMITS__MEMORY_BYTES.
        SandboxCrashed: If the child died; details hold its exit code or signal, the memory it had
            taken and what it had reported last.
    """
    return await _sandbox.run(job, on_progress=on_progress, supervisor=supervisor)


def close() -> None:
    """End the children that wait for work, at once. What is run later is done in new ones."""
    _sandbox.close()


__all__ = ["ModelLookup", "Supervisor", "close", "configure", "memory_limit", "run", "warm_up"]
