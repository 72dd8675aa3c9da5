"""What a process can tell by itself: of children, semaphores, variables and traces."""

import subprocess
import sys
from typing import Final

from lexiclass_worker import preflight
from lexiclass_worker.config import Settings, unknown_variables
from lexiclass_worker.telemetry.checks.outcome import TIMEOUT_S, Finding, Look, NotLooked, checked
from lexiclass_worker.telemetry.trace_export import TracesUnavailable, look_at_export

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


@checked("settings", remedy="see CONFIGURATION.md")
def check_settings(_settings: Settings) -> Look:
    """Which variables may be settings of ours with another name, and are not used: a warning.

    Those that are ours for certain are refused when settings are loaded.
    """
    doubtful = ", ".join(str(each) for each in unknown_variables() if each.is_doubtful)
    if not doubtful:
        return Look("no variable looks like one that is misspelt")
    found = f"no setting, so nothing looks at it: {doubtful}"
    return Look("", [Finding(found, "correct or unset it (CONFIGURATION.md)")])


@checked("traces", remedy="correct the variables OTEL_*")
def check_traces(_settings: Settings) -> Look:
    """Whether what the standard variables of OpenTelemetry ask for is installed; a warning."""
    try:
        names = look_at_export()
    except TracesUnavailable as error:
        return Look("", [Finding(error.found, error.remedy)])
    if not names:
        raise NotLooked("no variable of OpenTelemetry asks for traces")
    return Look(f"exported by {', '.join(names)}")
