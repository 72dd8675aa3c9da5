"""The sandbox's children, and whether they are still there."""

import asyncio
import os
import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that has ended and was not yet waited for is no longer alive either.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


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
