"""Processes: whether the sandbox can have children, and workers share semaphores."""

import subprocess
import sys
from typing import Final

from lexiclass_worker import preflight
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import TIMEOUT_S, Finding, Look, checked

# The least that a child of Python needs.
_CHILD: Final = (sys.executable, "-I", "-S", "-c", "")


@checked(
    "shared memory",
    remedy="mount /dev/shm with 64 MiB (Kubernetes: an emptyDir with medium: Memory)",
)
def check_shared_memory(_settings: Settings) -> Look:
    """Whether processes can share semaphores: on Linux, whether there is room in /dev/shm."""
    preflight.require_shared_memory()
    return Look("processes can share semaphores")


@checked(
    "sandbox", remedy="raise the limits of processes and memory (ulimit -u, pids.max, memory.max)"
)
def check_sandbox(_settings: Settings) -> Look:
    """Whether a child process starts and ends: there are limits to processes and to memory."""
    subprocess.run(_CHILD, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    return Look("a child starts and ends")


@checked("containment", remedy="set SANDBOX__CONTAINMENT to auto")
def check_containment(settings: Settings) -> Look:
    """What bounds the processes that read documents and models; what does not is a warning."""
    in_force = preflight.require_containment(settings.sandbox)
    gaps = preflight.gaps_of_containment(settings.sandbox)
    remedy = "run on a Linux that offers it (SECURITY.md), or trust all documents and models"
    return Look(in_force, [Finding(gaps, remedy)] if gaps else [])
