"""What runs, and what should not run any more."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from tests.support.workers import wait_until


def living_tree(pid: int) -> list[psutil.Process]:
    """A process and all below it that are alive now."""
    try:
        root = psutil.Process(pid)
        return [process for process in (root, *root.children(recursive=True)) if is_alive(process)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def still_alive(processes: list[psutil.Process]) -> list[str]:
    """The command lines of those that are alive."""
    return [f"{process.pid}: {_command(process)}" for process in processes if is_alive(process)]


def processes_about(directory: Path) -> list[str]:
    """The command lines of all processes but this one that mention or work in a folder."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid() or not is_alive(process):
            continue
        command = _command(process)
        try:
            environment = process.environ().values()
        except psutil.Error:
            environment = ()
        if str(directory) in command or any(str(directory) in value for value in environment):
            found.append(f"{process.pid}: {command}")
    return found


def worker_processes(master_pid: int) -> list[psutil.Process]:
    """The master of a group and its workers, without what those have started."""
    return [process for process in living_tree(master_pid) if "actors" in _command(process).split()]


def sandbox_children(master_pid: int) -> list[psutil.Process]:
    """The processes that do the work of a worker group now.

    They are the children of a fork server, which is the one process below a worker that has been
    started as ``lexiclass_worker.sandbox.fork_server``. Those that wait for work are left out.
    """
    return [
        process
        for process in living_tree(master_pid)
        if _is_of_fork_server(process)
        and (parent := process.parent()) is not None
        and _is_of_fork_server(parent)
        and _name(process) != "lexi:idle"
    ]


def _is_of_fork_server(process: psutil.Process) -> bool:
    return "sandbox.fork_server" in _command(process)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """Make tasks as long as a ``with`` block: their children are stopped, the worker goes on."""
    with ExitStack() as stack:
        for process in processes:
            process.suspend()
            stack.callback(process.resume)
        yield


def wait_for_training(master_pid: int) -> psutil.Process:
    """The process that trains a model for a group, once there is one."""
    return wait_for_trainings(master_pid, 1)[0]


def wait_for_trainings(master_pid: int, count: int) -> list[psutil.Process]:
    """The processes that train models for a group, once there are so many."""

    def find() -> list[psutil.Process] | None:
        found = [child for child in sandbox_children(master_pid) if _name(child) == "lexi:Train"]
        return found if len(found) >= count else None

    return wait_until(find, poll_s=0.01)


def wait_until_gone(processes: list[psutil.Process], *, timeout_s: float = 30.0) -> None:
    """Wait until none of some processes is alive."""
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    assert not still_alive(alive), still_alive(alive)


@contextmanager
def nothing_left_behind() -> Iterator[dict[str, str]]:
    """Settings for workers that are gone by the end, with what they had for a while.

    That is shared memory and semaphores that have a name, and temporary files.
    """
    before = _shared_memory()
    with (
        tempfile.TemporaryDirectory(prefix="lexi-") as name,
        # What they have counted is to stay.
        tempfile.TemporaryDirectory(prefix="lexi-") as metrics,
    ):
        yield {"TMPDIR": name, "METRICS__DIRECTORY": metrics}
        wait_until(lambda: list(Path(name).iterdir()) == [])
    wait_until(lambda: _shared_memory() <= before)


def _shared_memory() -> set[str]:
    # Servers of other tests may come and go.
    names = (file.name for file in Path("/dev/shm").iterdir())
    return {name for name in names if not name.startswith("PostgreSQL.")}
