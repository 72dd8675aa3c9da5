"""Whether a task may take as much memory as its limit says."""

import resource
from pathlib import Path
from typing import Final

from lexiclass_worker.config import Settings
from lexiclass_worker.sandbox.memory import available_memory, default_memory_limit
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, checked

_LEAST_BYTES: Final = 2**30
_ADDRESS_SPACE: Final = 2**33
_OVERCOMMIT: Final = Path("/proc/sys/vm/overcommit_memory")
_STRICT: Final = "2"
_REMEDY: Final = "raise the memory of the machine or the container, or set LIMITS__MEMORY_BYTES"


@checked("memory", remedy=_REMEDY)
def check_memory(settings: Settings) -> Look:
    """The memory of this machine or control group, beside what one task may take of it."""
    available, limit = available_memory(), settings.limits.memory_bytes
    if available is None:
        return Look("this system does not tell how much memory there is")
    allowed = limit if limit is not None else default_memory_limit(1)
    findings = list(_limits_of_processes())
    if available < _LEAST_BYTES:
        found = f"{_mib(available)} of memory for this machine or container"
        findings.append(Finding(found, _REMEDY.partition(",")[0] + " to 1 GiB or more"))
    if limit == 0:
        found = "tasks have no limit, so that one may take all memory"
        findings.append(Finding(found, "unset LIMITS__MEMORY_BYTES, or set it above 0"))
    elif limit is not None and limit > available:
        found = f"a task may take {_mib(limit)} of {_mib(available)}: the kernel ends it before"
        findings.append(Finding(found, f"set LIMITS__MEMORY_BYTES below {available}"))
    share = f", of which a task may take {_mib(allowed)}" if allowed else ""
    return Look(f"{_mib(available)} for this machine or container{share}", findings)


def _limits_of_processes() -> list[Finding]:
    """Limits of the kernel under which libraries end in the middle of their work."""
    findings = []
    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        soft, _ = resource.getrlimit(getattr(resource, name))
        if soft != resource.RLIM_INFINITY and soft < _ADDRESS_SPACE:
            option = "-v" if name == "RLIMIT_AS" else "-d"
            found = f"{name} is {_mib(soft)}, under which libraries crash where memory is refused"
            findings.append(Finding(found, f"ulimit {option} unlimited"))
    if _OVERCOMMIT.exists() and _OVERCOMMIT.read_text().strip() == _STRICT:
        found = "vm.overcommit_memory is 2, under which children may not be started"
        findings.append(Finding(found, "sysctl vm.overcommit_memory=0"))
    return findings


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
