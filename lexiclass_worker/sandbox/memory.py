"""What a child's memory is, and whether it is too much.

The parent looks at the child twenty times a second and kills it when it has taken more than
it may. The kernel's own limits do not do: under RLIMIT_DATA and RLIMIT_AS an allocation fails, and
liblinear, for one, does not ask whether it did but writes through the null pointer. The task would
be called crashed, and tried again. They also count what is mapped and never touched: the files of
a model, the stacks of threads.
"""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

# Memory is first written at some GB/s: a limit is passed by a few hundred megabytes at most.
_INTERVAL_S: Final = 0.05

# Searching costs more than looking, the more the more processes the machine has.
_SEARCH_INTERVAL_S: Final = 0.25

_PROC: Final = Path("/proc")
_FIGURES: Final = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$", re.MULTILINE)


# What all tasks of a process may take together, of what there is.
_SHARE: Final = 0.8

_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")


def default_memory_limit(tasks: int) -> int | None:
    """What one of several tasks may take where nothing is set, in bytes; None if it can't be told.

    Args:
        tasks: Tasks that run side by side.
    """
    memory = available_memory()
    return None if memory is None else int(memory * _SHARE) // tasks


def available_memory(proc: Path = _PROC, control_groups: Path = _CONTROL_GROUPS) -> int | None:
    """Bytes of the machine's memory, or of its control group's (a container's) if that is less.

    A group may take no more than each of those it lies in. See "memory.max" and
    "memory.limit_in_bytes" at https://docs.kernel.org/admin-guide/cgroup-v2.html and
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html.
    """
    total = re.search(r"^MemTotal:\s+(\d+) kB$", _read(proc / "meminfo"), re.MULTILINE)
    if total is None:
        return None
    limits = [1024 * int(total[1])]
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = control_groups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = control_groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be one that is seen from outside only: then the top is its.
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            limit = _read(folder / name).strip() if folder.is_relative_to(top) else ""
            if limit.isdigit():
                limits.append(int(limit))
    return min(limits)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def can_measure() -> bool:
    """Whether this system tells what a process holds."""
    return (_PROC / "self" / "status").exists()


def read_memory(pid: int) -> int:
    """Bytes that only the end of a process gives back: what it holds in memory and in swap.

    Pages of mapped files are not among them, for the kernel can drop those. 0 for a process that
    has ended, and where there is no /proc.
    """
    try:
        status = (_PROC / str(pid) / "status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * sum(map(int, _FIGURES.findall(status)))


class MemoryMeter:
    """Measures what a child takes for one job, on top of what it held before.

    What it held is what it shares with the fork server, and the models that earlier jobs have
    loaded. Processes that the job starts are of the child's group, and looked for when it has gone
    on for a while; what each takes after it was first seen counts too.

    Attributes:
        peak_bytes: The most that was seen.
    """

    def __init__(self, pid: int) -> None:
        self._group = pid
        self._before = {pid: read_memory(pid)}
        self._search_at = time.monotonic() + _SEARCH_INTERVAL_S
        self.peak_bytes = 0

    def sample(self) -> None:
        """Look now."""
        now = time.monotonic()
        if now >= self._search_at:
            self._search_at = now + _SEARCH_INTERVAL_S
            for pid in _members(self._group):
                if pid not in self._before:
                    self._before[pid] = read_memory(pid)
        taken = sum(max(0, read_memory(pid) - before) for pid, before in self._before.items())
        self.peak_bytes = max(self.peak_bytes, taken)

    async def exceed(self, limit_bytes: int | None) -> None:
        """Look until there is more than allowed: without a limit, for ever."""
        while limit_bytes is None or self.peak_bytes <= limit_bytes:
            await asyncio.sleep(_INTERVAL_S)
            self.sample()


def _members(group: int) -> Iterator[int]:
    """The processes of a group."""
    if not _PROC.exists():
        return
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            pid = int(entry.name)
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == group:
                    yield pid
