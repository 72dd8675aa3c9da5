"""Jobs for the sandbox that end as no real one should, for real."""

import logging
import mmap
import os
import resource
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.jobs.job import Access
from lexiclass_worker.jobs.supervision import ReportProgress, Supervision


class Free:
    """A job that may open all files: its test is about something else."""

    __slots__ = ()

    @property
    def access(self) -> Access:
        return Access(writes=("/",), num_processes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoJob(Free):
    """Report, then return what was given."""

    function: ClassVar[str] = "tests.support.jobs:echo"
    reuses_child: ClassVar[bool] = False
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingEchoJob(EchoJob):
    """The same, in a child that other jobs have used and will use."""

    reuses_child: ClassVar[bool] = True


def echo(job: EchoJob, report: ReportProgress) -> dict[str, Any]:
    for done in range(4):
        report(f"echo {done}", done, 3)
    return {"value": job.value, "pid": os.getpid()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulesJob(Free):
    """Say which modules a child has."""

    function: ClassVar[str] = "tests.support.jobs:modules"
    reuses_child: ClassVar[bool] = False


def modules(job: ModulesJob, report: ReportProgress) -> dict[str, Any]:
    return {"modules": sorted(sys.modules)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishJob(Free):
    """Ask whether something may be published."""

    function: ClassVar[str] = "tests.support.jobs:publish"
    reuses_child: ClassVar[bool] = False


def publish(job: PublishJob, supervision: Supervision) -> dict[str, Any]:
    supervision.ask_to_publish()
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogJob(Free):
    """Log a text, a traceback and a warning; some forked processes log too, all at once."""

    function: ClassVar[str] = "tests.support.jobs:log"
    reuses_child: ClassVar[bool] = False
    text: str
    forks: int = 0


def log(job: LogJob, report: ReportProgress) -> dict[str, Any]:
    logger = logging.getLogger("tests.job")
    children = [os.fork() for _ in range(job.forks)]
    if 0 in children:
        for _ in range(100):
            logger.info("%s in a fork", job.text)
        os._exit(0)
    logger.info("%s", job.text)
    logger.debug("too fine")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("no result")
    warnings.warn("old", stacklevel=1)
    for done in range(1000):
        report(f"stage {done}", done, 1000)
    for pid in children:
        os.waitpid(pid, 0)
    return {"forks": len(children)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepJob(Free):
    """Write the child's process id to a file, then sleep in one call, and note that it ended."""

    function: ClassVar[str] = "tests.support.jobs:sleep"
    reuses_child: ClassVar[bool] = False
    note: Path
    seconds: float = 60.0
    is_silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSleepJob(SleepJob):
    """The same, in a child that other jobs have used and would use."""

    reuses_child: ClassVar[bool] = True


def sleep(job: SleepJob, report: ReportProgress) -> dict[str, Any]:
    if not job.is_silent:
        report("sleep", 1, 2)
    _write_pid(job.note, os.getpid())
    time.sleep(job.seconds)
    ended(job.note).touch()
    return {}


def ended(note: Path) -> Path:
    """What is there when a job that has left a note has done its work to the end."""
    return note.with_suffix(".ended")


def _write_pid(note: Path, pid: int) -> None:
    # Whoever finds the file finds the number in it.
    partial = note.with_suffix(".partial")
    partial.write_text(str(pid))
    partial.rename(note)


@dataclass(frozen=True, slots=True, kw_only=True)
class DieJob(Free):
    """End by a signal, or with an exit code, without a word."""

    function: ClassVar[str] = "tests.support.jobs:die"
    reuses_child: ClassVar[bool] = False
    signal_number: int | None = signal.SIGKILL
    exit_code: int = 0


def die(job: DieJob, report: ReportProgress) -> dict[str, Any]:
    if job.signal_number is not None:
        os.kill(os.getpid(), job.signal_number)
        time.sleep(5)
    os._exit(job.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class HungryJob(Free):
    """Allocate more than the address space allows."""

    function: ClassVar[str] = "tests.support.jobs:eat"
    reuses_child: ClassVar[bool] = False
    allowed_bytes: int = 2**28


def eat(job: HungryJob, report: ReportProgress) -> dict[str, Any]:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + job.allowed_bytes,) * 2)
    hoard = [bytearray(2**24) for _ in range(1024)]
    return {"hoard": len(hoard)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseJob(Free):
    """Raise an exception of a module."""

    function: ClassVar[str] = "tests.support.jobs:fail"
    reuses_child: ClassVar[bool] = False
    name: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingRaiseJob(RaiseJob):
    """The same, in a child that other jobs have used and may use."""

    reuses_child: ClassVar[bool] = True


def fail(job: RaiseJob, report: ReportProgress) -> dict[str, Any]:
    import builtins

    import lexiclass.errors

    raise (getattr(lexiclass.errors, job.name, None) or getattr(builtins, job.name))(*job.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicJob(Free):
    """Have a library written in Rust panic: what that raises is no Exception."""

    function: ClassVar[str] = "tests.support.jobs:panic"
    reuses_child: ClassVar[bool] = False


def panic(job: PanicJob, report: ReportProgress) -> dict[str, Any]:
    from tokenizers.pre_tokenizers import FixedLength

    FixedLength(length=0).pre_tokenize_str("text")
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnspeakableJob(Free):
    """Return what JSON cannot hold."""

    function: ClassVar[str] = "tests.support.jobs:speak"
    reuses_child: ClassVar[bool] = False


def speak(job: UnspeakableJob, report: ReportProgress) -> dict[str, Any]:
    return {"value": {1, 2, 3}}


@dataclass(frozen=True, slots=True, kw_only=True)
class NowhereJob(Free):
    """Name a function that is not there."""

    function: ClassVar[str] = "tests.support.jobs:nowhere"
    reuses_child: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HoardJob(Free):
    """Take memory in one C call: keep it in the child, or in one of its own, or map a file."""

    function: ClassVar[str] = "tests.support.jobs:hoard"
    reuses_child: ClassVar[bool] = True
    size: int
    file: Path | None = None
    in_offspring: bool = False


_HOARD: list[Any] = []


def hoard(job: HoardJob, report: ReportProgress) -> dict[str, Any]:
    report("hoard", 0, 1)
    if job.in_offspring:
        if os.fork() == 0:
            _hold(job.size)
            os._exit(0)
        os.wait()
    elif job.file is None:
        _HOARD.append(b"x" * job.size)
    else:
        with job.file.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        # Every page is read, and stays in memory.
        assert not any(mapped[::4096])
        _HOARD.append(mapped)
        time.sleep(0.3)
    return {"pid": os.getpid()}


def _hold(size: int) -> None:
    time.sleep(0.5)
    held = [b"x" * 2**20 for _ in range(size // 2**20)]
    time.sleep(60 if held else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecomposeJob(Free):
    """Spend minutes in one call of LAPACK, and note that it ended."""

    function: ClassVar[str] = "tests.support.jobs:decompose"
    reuses_child: ClassVar[bool] = False
    note: Path
    size: int = 4_000


def decompose(job: DecomposeJob, report: ReportProgress) -> dict[str, Any]:
    import numpy as np

    matrix = np.random.default_rng(0).random((job.size, job.size))
    _write_pid(job.note, os.getpid())
    np.linalg.svd(matrix)
    ended(job.note).touch()
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OffspringJob(Free):
    """Start a process, as a plugin might, and hang."""

    function: ClassVar[str] = "tests.support.jobs:beget"
    reuses_child: ClassVar[bool] = False
    note: Path
    dies: bool = False


def beget(job: OffspringJob, report: ReportProgress) -> dict[str, Any]:
    # Inherits the channel, as what a library forks does.
    offspring = os.fork()
    if offspring == 0:
        time.sleep(60)
        os._exit(0)
    _write_pid(job.note, offspring)
    if job.dies:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SurroundingsJob(Free):
    """Say what surrounds the child."""

    function: ClassVar[str] = "tests.support.jobs:describe_surroundings"
    reuses_child: ClassVar[bool] = False


def describe_surroundings(job: SurroundingsJob, report: ReportProgress) -> dict[str, Any]:
    from threadpoolctl import threadpool_info

    return {
        "threads": [pool["num_threads"] for pool in threadpool_info()],
        "environment": {key: os.environ.get(key) for key in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")},
        "out_of_memory_score": int(Path("/proc/self/oom_score_adj").read_text()),
        "name": Path("/proc/self/comm").read_text().strip(),
    }
