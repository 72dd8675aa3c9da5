"""Jobs that do what code inside a child must not be able to do, and say what came of it."""

import ctypes
import fcntl
import mmap
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from lexiclass_worker.artifacts.asking_project import AskingProject
from lexiclass_worker.jobs.job import Access
from lexiclass_worker.jobs.supervision import ReportProgress
from lexiclass_worker.ml import objects

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackJob:
    """Do each of some things, named by functions of this module, with what they are given."""

    function: ClassVar[str] = "tests.support.attacks:attack"
    reuses_child: ClassVar[bool] = False
    attacks: tuple[tuple[str, Any], ...]
    access: Access = field(default_factory=Access)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingAttackJob(AttackJob):
    """The same, in a child that other jobs of the same access have used and will use."""

    reuses_child: ClassVar[bool] = True


def attack(job: AttackJob, report: ReportProgress) -> dict[str, Any]:
    found: dict[str, Any] = {"pid": os.getpid()}
    for number, (name, argument) in enumerate(job.attacks):
        action: Callable[[Any], Any] = globals()[name]
        try:
            found[f"{number} {name}"] = ["done", action(argument)]
        except OSError as error:
            found[f"{number} {name}"] = ["refused", error.errno]
    return found


def read(path: str) -> str:
    return Path(path).read_text(errors="replace")[:1000]


def list_folder(path: str) -> list[str]:
    return sorted(each.name for each in Path(path).iterdir())[:5]


def write(path: str) -> int:
    return Path(path).write_text("written")


def truncate(path: str) -> None:
    os.truncate(path, 0)


def remove(path: str) -> None:
    Path(path).unlink()


def open_rights(path: str) -> None:
    Path(path).chmod(0o777)


def link_to(pair: list[str]) -> None:
    target, place = pair
    Path(place).symlink_to(target)


def hard_link_to(pair: list[str]) -> None:
    target, place = pair
    Path(place).hardlink_to(target)


def connect(address: Any) -> str:
    if isinstance(address, str):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
    else:
        socket.create_connection(tuple(address), timeout=2).close()
    return "connected"


def listen(_: None) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


def send_datagram(address: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"secret", tuple(address))


def connect_one_of_a_pair(path: str) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.connect(path)
        one.send(b"secret")


def make_a_pair(_: None) -> None:
    for each in socket.socketpair():
        each.close()


def connect_while_sending(address: Any) -> None:
    with socket.socket() as client:
        client.sendto(b"secret", socket.MSG_FASTOPEN, tuple(address))


def connect_by_several_paths(address: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:  # IPPROTO_MPTCP
        client.connect(tuple(address))


def listen_without_binding(_: None) -> None:
    with socket.socket() as server:
        server.listen()


def connect_by_ring(_: None) -> None:
    _checked(_LIBC.syscall(425, 8, bytes(120)))  # io_uring_setup


def read_from_store(path: str) -> str:
    (content,) = _store().read([path], 100)
    if isinstance(content, OSError):
        raise content
    return content.decode()


def change_index_of_store(name: str) -> None:
    _store().remove_index(name)


def fetch_index_of_store(name: str) -> None:
    _store().index_manifest(name)


def _store() -> AskingProject:
    assert objects._worker is not None
    return AskingProject(objects._worker)


def run_program(arguments: list[str]) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=False).stdout


def send_signal(pid: int) -> None:
    os.kill(pid, 0)


def trace(pid: int) -> None:
    _checked(_LIBC.ptrace(16, pid, 0, 0))  # PTRACE_ATTACH


def read_memory(pid: int) -> None:
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        memory.read(1)


def limit_another(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))


def slow_down_another(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 19)


def slow_down_the_disk_of_another(pid: int) -> None:
    _checked(_LIBC.syscall(251, 1, pid, 3 << 13))  # ioprio_set, idle


def move_another(pid: int) -> None:
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


def reschedule_another(pid: int) -> None:
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def share_memory_by_number(_: None) -> None:
    _checked(_LIBC.shmget(0, 4096, 0o1600))


def share_semaphores_by_number(_: None) -> None:
    _checked(_LIBC.semget(0, 1, 0o1600))


def send_by_number(_: None) -> None:
    _checked(_LIBC.msgget(0, 0o1600))


def open_queue(name: str) -> None:
    _checked(_LIBC.syscall(240, name.encode(), os.O_CREAT | os.O_RDWR, 0o600, None))  # mq_open


def keep_in_a_file_of_memory(_: None) -> None:
    os.close(os.memfd_create("kept"))


def keep_in_secret_memory(_: None) -> None:
    os.close(_checked(_LIBC.syscall(447, 0)))  # memfd_secret


def read_far_and_wide(gigabytes: int) -> None:
    """Have a page table made for every two megabytes of what is never written to."""
    size = gigabytes << 30
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
    with mmap.mmap(-1, size, flags=flags, prot=mmap.PROT_READ) as pages:
        pages.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, size, 2 << 20):
            pages[place]
        time.sleep(20)


def watch_folder(path: str) -> None:
    _checked(_LIBC.inotify_add_watch(_checked(_LIBC.inotify_init1(0)), path.encode(), 0x100))


def type_at_terminal(_: None) -> None:
    fcntl.ioctl(0, termios.TIOCSTI, b"x")


def cut_off_output(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)


def read_what_is_printed(seconds: float) -> str:
    """Open the other end of the pipe that this process prints to."""
    found = b""
    descriptor = os.open("/proc/self/fd/2", os.O_RDONLY | os.O_NONBLOCK)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            found += os.read(descriptor, 65_536)
    return found.decode()


def print_often(text: str) -> None:
    for _ in range(2000):
        os.write(2, text.encode())
        time.sleep(0.0005)


def change_its_own(_: None) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    os.sched_setaffinity(0, os.sched_getaffinity(0))


def leave_group(_: None) -> None:
    os.setpgid(0, os.getppid())


def leave_session(_: None) -> None:
    os.setsid()


def become_root_of_a_namespace(_: None) -> None:
    _checked(_LIBC.unshare(0x10000000))


def clone_into_a_namespace(_: None) -> None:
    pid = _checked(_LIBC.syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def mount(path: str) -> None:
    _checked(_LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", 0, None))


def environment(_: None) -> list[str]:
    of_process = Path("/proc/self/environ").read_bytes().decode(errors="replace")
    return [*of_process.split("\0"), *(f"{name}={value}" for name, value in os.environ.items())]


def command_line(_: None) -> list[str]:
    return [*sys.orig_argv, Path("/proc/self/cmdline").read_text()]


def descriptors(_: None) -> dict[str, str]:
    folder = Path("/proc/self/fd")
    return {each.name: str(each.readlink()) for each in folder.iterdir() if each.is_symlink()}


def memory_holds(text: str) -> bool:
    """Whether a text, given backwards, is anywhere in this process."""
    half = len(text) // 2
    # The two are never put together here.
    first, second = text[half:][::-1].encode(), text[:half][::-1].encode()
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" not in line or end - begin > 2**28:
                continue
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except (OSError, OverflowError):
                continue
            place = content.find(first)
            while place >= 0:
                if content[place + len(first) : place + len(text)] == second:
                    return True
                place = content.find(first, place + 1)
    return False


def limits(_: None) -> list[int]:
    return list(resource.getrlimit(resource.RLIMIT_CORE))


def status(_: None) -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def dump_core(folder: str) -> list[str]:
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        os.abort()
    _, how = os.waitpid(pid, 0)
    return [f"core: {os.WCOREDUMP(how)}", *(each.name for each in Path(folder).iterdir())]


def work_in_threads(count: int) -> int:
    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done)


def work_with_temporary_files(_: None) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "file")
        place.write_text("x")
        with place.open("r+b") as file:
            mmap.mmap(file.fileno(), 1)[:] = b"y"
        shutil.copyfile(place, Path(folder, "copy"))
        return Path(folder, "copy").read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkBombJob:
    """Fork for ever."""

    function: ClassVar[str] = "tests.support.attacks:bomb"
    reuses_child: ClassVar[bool] = False
    access: Access = Access(num_processes=2)  # noqa: RUF009 - it is frozen


def bomb(job: ForkBombJob, report: ReportProgress) -> dict[str, Any]:
    report("bomb", 0, 1)
    # It ends by itself, should nobody end it: other tests run beside it.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if os.fork() == 0:
                time.sleep(0.01)
        except OSError:
            time.sleep(0.05)
    os._exit(0)


def send_to_worker(data: str) -> None:
    """Write to the channel, beside what the child says itself."""
    for name, place in descriptors(None).items():
        if place.startswith("socket:"):
            os.write(int(name), bytes.fromhex(data))
    time.sleep(20)


def talk_to_worker(seconds: float) -> None:
    """Say without end what is in order; the worker need not have asked."""
    said = b'{"begun": true}'
    flood = (struct.pack("!Q", len(said)) + said) * 1000
    (channel,) = (int(name) for name, at in descriptors(None).items() if at.startswith("socket:"))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        os.write(channel, flood)


def leave_deep_folders(levels: int) -> str:
    top = Path(os.environ["TMPDIR"])
    os.chdir(top)
    for _ in range(levels):
        Path("d").mkdir()
        os.chdir("d")
    return str(top)


def parent(_: None) -> int:
    return os.getppid()


def stay(note: str) -> None:
    """Have no other thread of this process run any more, such as that which ends it."""
    Path(f"{note}.new").write_text(str(os.getpid()))
    Path(f"{note}.new").replace(note)
    ctypes.PyDLL(None).sleep(60)


def fork(_: None) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
