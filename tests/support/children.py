"""The sandbox's children, and whether they are still there."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that has ended and was not yet waited for is no longer alive either.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        # It may go at any moment, also between the two and while its file is read.
        return False


def wait_gone(pid: int, *, timeout_s: float = 30) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def pid_in(note: Path) -> int:
    async with asyncio.timeout(120):
        while not note.exists():
            await asyncio.sleep(0.01)
    return int(note.read_text())


@contextmanager
def process_with_number(pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the number of one that is no more, and a group of its own.

    Skips without the right to say which number is the next.
    """
    while psutil.pid_exists(pid):
        time.sleep(0.01)
    for _ in range(1000):
        try:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"the next process id cannot be set: {error}")
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
            try:
                if process.pid == pid:
                    yield process
                    return
            finally:
                process.kill()
    pytest.fail(f"others were always faster to take the process id {pid}")
