"""Copies of what an object store holds, on this machine's disk, for all its workers of one user.

Each is a folder below that of its project in the cache directory, with a lock beside that: who
changes one has it alone, who reads one may share it. Those that were unused for longest make room
for others.
"""

import errno
import fcntl
import math
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from lexiclass_worker.artifacts.foreign_folders import remove_folder

IN_THE_MAKING: Final = ".build"
"""Suffix of a folder that is no copy yet."""

# One that nothing was written to for so long was left by a process that was killed.
_ABANDONED_S: Final = 86_400

_LOCK: Final = ".lock"
_LOCKS: Final = ".locks"

# A clock that was set back a little.
_CLOCK_S: Final = 60


class CopyTooLarge(OSError):
    """A copy would take more than all copies may."""


def project_cache(cache: Path, project_id: int) -> Path:
    """The folder of a project's copies in a cache: its children read nothing beside it."""
    return cache / str(project_id)


def place_of(cache: Path, label: str, key: bytes) -> Path:
    """Where a copy is; the folder that it lies in is made if it is not there.

    The label is for people; below the cache directory it begins with the project's folder. Another
    ``key`` is the copy of something else.
    """
    copy = cache / f"{label}-{sha256(key).hexdigest()[:32]}"
    # Of folders that are made on the way the mode is not meant.
    for folder in (cache, copy.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return copy


@contextmanager
def locked(copy: Path, operation: int = fcntl.LOCK_EX) -> Iterator[int]:
    """Hold the lock of a copy. The kernel takes it back from whoever dies.

    The copy need not be there. The operation is one of :func:`fcntl.flock`, and by the descriptor
    that is given it can be locked otherwise.

    Raises:
        BlockingIOError: If the operation is not to wait and another process has the lock.
    """
    path = _lock_of(copy)
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as file:
            fcntl.flock(file, operation)
            try:
                if not _is_at(path, file.fileno()):
                    continue  # a cleaner has removed it meanwhile: others lock the next one
                os.utime(file.fileno())  # it was used now
                yield file.fileno()
                return
            finally:
                # Closing is not enough: a process that was forked meanwhile has it open, too.
                fcntl.flock(file, fcntl.LOCK_UN)


def _lock_of(copy: Path) -> Path:
    """The file that is locked.

    Not below the project's folder: its children, which read that, could keep the lock from their
    worker, whose threads would wait for it. Who only reads a file can lock it.
    """
    if copy.parent.name.isdecimal():
        return copy.parent.with_name(copy.parent.name + _LOCKS) / f"{copy.name}{_LOCK}"
    return copy.with_name(copy.name + _LOCK)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def make_room(cache: Path, copy: Path, needed_bytes: int, limit_bytes: int) -> None:
    """Remove the copies that were unused for longest, and what killed processes have left.

    The copy, which is locked, stays: it takes ``needed_bytes``, or will, and all copies together
    may take ``limit_bytes``.

    Raises:
        CopyTooLarge: If it takes more than that; it is removed.
    """
    if needed_bytes > limit_bytes:
        remove_folder(copy)
        raise CopyTooLarge(
            errno.EFBIG,
            f"a copy takes {needed_bytes} bytes, and STORAGE__CACHE_BYTES allows {limit_bytes} for "
            "all of them: allow more",
        )
    folders = _all_in(cache)
    for path in folders:
        if path.suffix == IN_THE_MAKING:
            _remove_abandoned(path)
    others = [path for path in folders if path.suffix != IN_THE_MAKING and path != copy]
    sizes = {path: _size(path) for path in others}
    # The disk may be smaller than what was allowed.
    on_disk = shutil.disk_usage(copy.parent).free + _size(copy) + sum(sizes.values())
    for other in sorted(others, key=_last_used):
        if needed_bytes + sum(sizes.values()) <= min(limit_bytes, on_disk):
            return
        # One that is in use was used last; there is nothing else to remove then. Children have
        # written to some: what they left in the place of a lock costs nobody else his room.
        with suppress(OSError):
            remove_unused(other)
            del sizes[other]


def remove_unused(copy: Path) -> None:
    """Remove a copy.

    Raises:
        BlockingIOError: If somebody uses it.
    """
    with locked(copy, fcntl.LOCK_EX | fcntl.LOCK_NB):
        remove_folder(copy)


def remove_old(cache: Path, *, older_than_s: float) -> list[Path]:
    """Remove the copies that nobody has used for so long, and what killed processes have left.

    What a copy is of may be gone since: erased, say. Returned are the copies that were removed.
    """
    limit = time.time() - older_than_s
    removed = []
    for path in _all_in(cache):
        if path.suffix == IN_THE_MAKING:
            _remove_abandoned(path)
        elif _last_used(path) < limit:
            with suppress(OSError):
                remove_unused(path)
                removed.append(path)
    return removed


def _all_in(cache: Path) -> list[Path]:
    """The copies of all projects, and what is no copy yet; earlier versions had no folders.

    Whatever else lies in a project's folder is removed: a child of it has put it there, to stay.
    """
    above = [path for path in cache.glob("*") if path.is_dir() and path.suffix != _LOCKS]
    projects = [path for path in above if path.name.isdecimal()]
    copies = []
    for path in (path for project in projects for path in project.glob("*")):
        if path.is_dir() and not path.is_symlink():
            copies.append(path)
        else:
            with suppress(OSError):
                path.unlink()
    return copies + [path for path in above if path not in projects]


def _remove_abandoned(making: Path) -> None:
    if not _is_abandoned(making):
        return
    # Whoever fills it has the lock of the copy it is to become.
    with (
        suppress(OSError),
        locked(making.with_suffix(""), fcntl.LOCK_EX | fcntl.LOCK_NB),
    ):
        if _is_abandoned(making):
            remove_folder(making)


def _is_abandoned(making: Path) -> bool:
    times = [status.st_mtime for status in _statuses(making)]
    # One that is gone by now has been made a copy, or is made anew.
    return max(times, default=math.inf) < time.time() - _ABANDONED_S


def _last_used(copy: Path) -> float:
    try:
        last = _lock_of(copy).lstat().st_mtime
    except OSError:
        return 0
    # Who says that it is used in the future may not keep it for longer than all others.
    return last if last <= time.time() + _CLOCK_S else 0


def _size(copy: Path) -> int:
    statuses = _statuses(copy)
    return sum(status.st_size for status in statuses if stat.S_ISREG(status.st_mode))


def _statuses(folder: Path) -> Iterator[os.stat_result]:
    """Look at a folder and all below it, as far as it is there: its owner may be removing it.

    Not by recursion, nor by os.walk, which does so before Python 3.12: a child may have put folders
    into folders without end.
    """
    with suppress(OSError):
        yield folder.lstat()
    left = [str(folder)]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield status
                    if stat.S_ISDIR(status.st_mode):
                        left.append(entry.path)
