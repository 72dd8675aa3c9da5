"""What a child takes, in memory and threads, and whether it is too much.

The parent looks at the child twenty times a second and kills it when it has taken more than
it may. The kernel's own limits do not do: under RLIMIT_DATA and RLIMIT_AS an allocation fails, and
liblinear, for one, does not ask whether it did but writes through the null pointer. The task would
be called crashed, and tried again. They also count what is mapped and never touched: the files of
a model, the stacks of threads.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Memory is first written at some GB/s: a limit is passed by a few hundred megabytes at most.
_INTERVAL_S: Final = 0.05

# Searching costs more than looking, the more the more processes the machine has.
_SEARCH_INTERVAL_S: Final = 0.25

_PROC: Final = Path("/proc")
_FIGURES: Final = re.compile(rb"^(?:RssAnon|RssShmem|VmPTE|VmSwap):\s+(\d+) kB$", re.MULTILINE)
_THREADS: Final = re.compile(rb"^Threads:\s+(\d+)$", re.MULTILINE)


# A machine may have these more from one look to the next.
_FEW_THREADS: Final = 64

# Beside those for each core: what reads a store, watches the worker, loads a model.
_SOME_THREADS: Final = 128

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

    The kernel's tables of its pages are among them, which grow with what is only read as well.
    Pages of mapped files are not, for the kernel can drop those. 0 for a process that has ended,
    and where there is no /proc.
    """
    return _look_at(pid)[0]


def _look_at(pid: int) -> tuple[int, int]:
    """The memory that a process holds, in bytes, and its threads."""
    try:
        status = (_PROC / str(pid) / "status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    threads = _THREADS.search(status)
    memory = 1024 * sum(map(int, _FIGURES.findall(status)))
    return memory, 0 if threads is None else int(threads[1])


class Meter:
    """Measures what a child takes for one job: memory on top of what it held before, and threads.

    What it held is what it shares with the fork server, and the models that earlier jobs have
    loaded. Processes that the job starts are of the child's group, and looked for when it has gone
    on for a while; what each takes after it was first seen counts too.

    A flood of processes leaves little time to whoever looks at them, so they are searched for at
    once when the machine has many more threads than before, and only counted where they are many.

    Attributes:
        peak_bytes: The most memory that was seen.
        num_threads: Of all its processes together, when it was last looked at.
    """

    def __init__(self, pid: int, limits: "Limits") -> None:
        self._group = pid
        self._limits = limits
        self._before = {pid: read_memory(pid)}
        self._search_at = time.monotonic() + _SEARCH_INTERVAL_S
        self._threads_of_machine = _count_threads_of_machine()
        self.peak_bytes = 0
        self.num_threads = 0

    def sample(self) -> None:
        """Look now."""
        now, threads_of_machine = time.monotonic(), _count_threads_of_machine()
        if now >= self._search_at or threads_of_machine > self._threads_of_machine + _FEW_THREADS:
            self._search_at = now + _SEARCH_INTERVAL_S
            self._threads_of_machine = threads_of_machine
            members = list(_members(self._group))
            if len(members) > self._limits.threads:
                self.num_threads = len(members)
                return
            for pid in members:
                if pid not in self._before:
                    self._before[pid] = read_memory(pid)
        taken = self.num_threads = 0
        for pid, before in self._before.items():
            memory, threads = _look_at(pid)
            taken += max(0, memory - before)
            self.num_threads += threads
        self.peak_bytes = max(self.peak_bytes, taken)

    async def exceed(self) -> None:
        """Look until there is more than allowed, and kill the group then; without limits, never."""
        while not (self.has_too_much_memory or self.has_too_many_threads):
            await asyncio.sleep(_INTERVAL_S)
            self.sample()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)

    @property
    def has_too_much_memory(self) -> bool:
        """Whether it has taken more memory than allowed."""
        allowed = self._limits.memory_bytes
        return allowed is not None and self.peak_bytes > allowed

    @property
    def has_too_many_threads(self) -> bool:
        """Whether it has more threads than allowed."""
        return self.num_threads > self._limits.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may take.

    Attributes:
        memory_bytes: On top of what its child held before; None for no limit.
        threads: Of all its processes together. The kernel's own limit, RLIMIT_NPROC, is no use: it
            counts all that the account runs, and nothing of root's.
    """

    memory_bytes: int | None
    threads: int


def thread_limit(processes: int, cores: int) -> int:
    """How many threads a job may have: several times what libraries start, and far from a flood.

    Args:
        processes: That it may share its work among.
        cores: Of this machine, for each of which libraries start a thread in each process.
    """
    return _SOME_THREADS + processes * (2 * cores + _SOME_THREADS)


def _count_threads_of_machine() -> int:
    """All that the kernel schedules; 0 where it does not say. One read, whatever there is."""
    try:
        load = (_PROC / "loadavg").read_text().split()
        return int(load[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0


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
