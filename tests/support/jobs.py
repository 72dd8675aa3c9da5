"""Jobs for the sandbox that end as no real one should, for real."""

import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.ml.reporting import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoJob:
    """Report, then return what was given."""

    function: ClassVar[str] = "tests.support.jobs:echo"
    value: Any = None


def echo(job: EchoJob, report: Report) -> dict[str, Any]:
    for done in range(4):
        report("echo", done, 3)
    return {"value": job.value, "pid": os.getpid()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepJob:
    """Write the child's process id to a file, then sleep in one call."""

    function: ClassVar[str] = "tests.support.jobs:sleep"
    note: Path
    seconds: float = 60.0
    is_silent: bool = False


def sleep(job: SleepJob, report: Report) -> dict[str, Any]:
    if not job.is_silent:
        report("sleep", 1, 2)
    partial = job.note.with_suffix(".partial")
    partial.write_text(str(os.getpid()))
    partial.rename(job.note)
    time.sleep(job.seconds)
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DieJob:
    """End by a signal, or with an exit code, without a word."""

    function: ClassVar[str] = "tests.support.jobs:die"
    signal_number: int | None = signal.SIGKILL
    exit_code: int = 0


def die(job: DieJob, report: Report) -> dict[str, Any]:
    if job.signal_number is not None:
        os.kill(os.getpid(), job.signal_number)
        time.sleep(5)
    os._exit(job.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class HungryJob:
    """Allocate more than the address space allows."""

    function: ClassVar[str] = "tests.support.jobs:eat"
    allowed_bytes: int = 2**28


def eat(job: HungryJob, report: Report) -> dict[str, Any]:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + job.allowed_bytes,) * 2)
    hoard = [bytearray(2**24) for _ in range(1024)]
    return {"hoard": len(hoard)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseJob:
    """Raise an exception of a module."""

    function: ClassVar[str] = "tests.support.jobs:fail"
    name: str
    arguments: tuple[Any, ...] = ()


def fail(job: RaiseJob, report: Report) -> dict[str, Any]:
    import builtins

    import lexiclass.errors

    raise (getattr(lexiclass.errors, job.name, None) or getattr(builtins, job.name))(*job.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnspeakableJob:
    """Return what JSON cannot hold."""

    function: ClassVar[str] = "tests.support.jobs:speak"


def speak(job: UnspeakableJob, report: Report) -> dict[str, Any]:
    return {"value": {1, 2, 3}}


@dataclass(frozen=True, slots=True, kw_only=True)
class NowhereJob:
    """Name a function that is not there."""

    function: ClassVar[str] = "tests.support.jobs:nowhere"
