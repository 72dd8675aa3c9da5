"""Small disks, and how full they are."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_disk(disk: Path, *, size: str) -> Iterator[Path]:
    """A file system of its own for the time of a ``with`` block; skips without the right to mount.

    Args:
        disk: Where it is mounted; made.
        size: As ``mount`` takes it, such as ``2m``.
    """
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs privileges that this account does not have")
    try:
        yield disk
    finally:
        # Files may still be mapped: it goes with the last of them.
        subprocess.run(["umount", "--lazy", disk], check=True)


def free_bytes(disk: Path) -> int:
    """What is free."""
    return shutil.disk_usage(disk).free


def leave_free(disk: Path, size: int) -> Path:
    """Fill a disk but for so many bytes.

    Returns:
        The file that fills it.
    """
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - size)
    return ballast


def remounted(disk: Path, mode: str) -> bool:
    """Mount a disk again, ``ro`` or ``rw``; whether that was done: not while a file is written."""
    command = ["mount", "-o", f"remount,{mode}", str(disk)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_deep(top: Path, *, levels: int) -> None:
    """Put folders into folders: by descriptors, for the path soon is longer than any may be."""
    top.mkdir(parents=True, exist_ok=True)
    inner = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=inner)
        outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
