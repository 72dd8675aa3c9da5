"""How many threads BLAS and OpenMP use in the children."""

import os
from pathlib import Path
from typing import Final

from lexiclass_worker.config import set_process_variable

_COUNTS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_BEHAVIOUR: Final = {
    # Threads that spin while they wait take the cores from other tasks.
    "OMP_WAIT_POLICY": "passive",
    # Hugging Face's tokenizers hang in a child of a process that has used their threads.
    "TOKENIZERS_PARALLELISM": "false",
}

# Where a container sees its own share: https://docs.kernel.org/admin-guide/cgroup-v2.html
_CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def limit_native_threads(threads: int | None, *, tasks: int) -> None:
    """Set what the libraries read when the fork server loads them.

    The variables are set for the whole process: it computes nothing itself, and a fork server that
    has to be started again must find them too.

    Each child has ``threads``; if None, the cores divided by ``tasks``, which run side by side.
    """
    count = max(1, available_cores() // tasks) if threads is None else threads
    for name in _COUNTS:
        set_process_variable(name, str(count))
    for name, value in _BEHAVIOUR.items():
        set_process_variable(name, value)


def available_cores(quota: Path = _CPU_QUOTA) -> int:
    """Cores this process may use: of its affinity, or of its container's quota if that is less."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        allowed, period = quota.read_text().split()
    except FileNotFoundError:
        return cores
    return cores if allowed == "max" else max(1, min(cores, int(allowed) // int(period)))
