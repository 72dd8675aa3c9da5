"""Processes: whether the sandbox can have children, and workers share semaphores."""

import subprocess
import sys
from typing import Final

from lexiclass_worker import preflight
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.telemetry.checks.outcome import TIMEOUT_S, Check, attempt

# The least that a child of Python needs.
_CHILD: Final = (sys.executable, "-I", "-S", "-c", "")


def check_shared_memory(settings: Settings) -> Check:
    """Whether processes can share semaphores: on Linux, whether there is room in /dev/shm."""
    return attempt("shared memory", settings, preflight.require_shared_memory)


def check_sandbox(settings: Settings) -> Check:
    """Whether a child process starts and ends: there are limits to processes and to memory."""
    return attempt("sandbox", settings, _start_child)


def check_containment(settings: Settings) -> Check:
    """What bounds the processes that read documents and models; what does not is a warning."""
    try:
        in_force = preflight.require_containment(settings.sandbox)
    except ConfigurationError as error:
        return Check("containment", ok=False, reason=str(error))
    gaps = preflight.gaps_of_containment(settings.sandbox)
    return Check("containment", ok=True, warning=gaps, detail=in_force)


def _start_child() -> None:
    subprocess.run(_CHILD, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
