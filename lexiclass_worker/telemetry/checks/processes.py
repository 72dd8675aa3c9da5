"""Processes: whether the sandbox can have children, and workers share semaphores."""

import subprocess
import sys
from typing import Final

from lexiclass_worker import preflight
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import TIMEOUT_S, Check, Finding, Look, attempt

# The least that a child of Python needs.
_CHILD: Final = (sys.executable, "-I", "-S", "-c", "")


def check_shared_memory(settings: Settings) -> Check:
    """Whether processes can share semaphores: on Linux, whether there is room in /dev/shm."""

    def look() -> Look:
        preflight.require_shared_memory()
        return Look("processes can share semaphores")

    remedy = "mount /dev/shm with 64 MiB (Kubernetes: an emptyDir with medium: Memory)"
    return attempt("shared memory", settings, look, remedy=remedy)


def check_sandbox(settings: Settings) -> Check:
    """Whether a child process starts and ends: there are limits to processes and to memory."""

    def look() -> Look:
        subprocess.run(_CHILD, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
        return Look("a child starts and ends")

    remedy = "raise the limits of processes and memory (ulimit -u, pids.max, memory.max)"
    return attempt("sandbox", settings, look, remedy=remedy)


def check_containment(settings: Settings) -> Check:
    """What bounds the processes that read documents and models; what does not is a warning."""

    def look() -> Look:
        in_force = preflight.require_containment(settings.sandbox)
        gaps = preflight.gaps_of_containment(settings.sandbox)
        remedy = "run on a Linux that offers it (SECURITY.md), or trust all documents and models"
        return Look(in_force, [Finding(gaps, remedy)] if gaps else [])

    return attempt("containment", settings, look, remedy="set SANDBOX__CONTAINMENT to auto")
