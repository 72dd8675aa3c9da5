"""Folders of this machine: whether they can be written, with room left, and on which disk."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

from lexiclass_worker import preflight
from lexiclass_worker.artifacts.kept_copies import cache_directory
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import (
    Finding,
    Look,
    NotLooked,
    NotUsable,
    checked,
)

_LEAST_FREE_BYTES: Final = 2**20
_FEW_FREE_BYTES: Final = 256 * 2**20
_FEW_FREE_FILES: Final = 1_000
_WRITTEN: Final = bytes(64 * 2**10)
_MOUNTS: Final = Path("/proc/self/mountinfo")
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_CACHE: Final = "set STORAGE__CACHE_DIRECTORY to a folder on a disk of this machine"


@checked("temporary files", remedy="set TMPDIR to a folder that can be written, with room")
def check_temporary_files(_settings: Settings) -> Look:
    """Whether this process can write temporary files."""
    return _write(preflight.require_temporary_folder())


@checked("cache", remedy=_CACHE)
def check_cache(settings: Settings) -> Look:
    """Whether copies of an object store can be kept, and where."""
    base = settings.storage.base_path
    if "://" not in base or base.startswith("file://"):
        raise NotLooked("the storage is a directory, of which no copies are kept")
    directory = cache_directory(settings.storage)
    look = _write(directory)
    findings = list(look.findings)
    with tempfile.TemporaryFile(dir=directory) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotUsable(f"files cannot be locked in {directory} ({error})", _CACHE) from error
    if file_system_of(directory) in _IN_MEMORY:
        found = f"{directory} lies in memory, which copies of models and indexes then take"
        findings.append(Finding(found, _CACHE))
    allowed, size = settings.storage.cache_bytes, _size(directory)
    if allowed > size:
        found = f"STORAGE__CACHE_BYTES are {_gib(allowed)}, and the disk has {_gib(size)}"
        findings.append(Finding(found, f"set STORAGE__CACHE_BYTES below {size}"))
    return Look(look.detail, findings)


def room_in(directory: Path) -> Look:
    """How much room there is.

    Raises:
        NotUsable: If there is none.
    """
    status = os.statvfs(directory)
    free = status.f_bavail * status.f_frsize
    if free < _LEAST_FREE_BYTES:
        raise NotUsable(f"{free:,} bytes are free in {directory}", "make room")
    findings = []
    if free < _FEW_FREE_BYTES:
        found = f"{free / 2**20:.0f} MiB are free in {directory}"
        findings.append(Finding(found, "make room: tasks wait where a disk is full"))
    # Where files are not counted there are none in all.
    if status.f_files and status.f_favail < _FEW_FREE_FILES:
        found = f"{status.f_favail:,} more files can be made in {directory} (inodes)"
        findings.append(Finding(found, "make room: df -i"))
    kind = file_system_of(directory)
    return Look(f"{_gib(free)} free in {directory}{f' ({kind})' if kind else ''}", findings)


def file_system_of(path: Path) -> str:
    """The kind of the file system that a path lies on; empty where the system does not say.

    See /proc/pid/mountinfo: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    try:
        device = path.stat().st_dev
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return ""


def _write(directory: Path) -> Look:
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".lexiclass-check-") as file:
        file.write(_WRITTEN)
        file.flush()
    return room_in(directory)


def _size(directory: Path) -> int:
    status = os.statvfs(directory)
    return status.f_blocks * status.f_frsize


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
