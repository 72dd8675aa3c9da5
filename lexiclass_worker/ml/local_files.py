"""A project's files on a disk: what can be told of them from outside, and their bytes."""

import errno
import os
import stat
import time
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from lexiclass_core import layout
from lexiclass_worker.ml.stored_objects import Look, Place

# File systems keep times to some milliseconds, network file systems by the clock of their server.
_SETTLED_NS: Final = 2_000_000_000

# Documents lie in few folders, or in one of their own each: none is asked for long after.
_OPEN_FOLDERS: Final = 64

_PAGE_BYTES: Final = 4096

# Only to reach what is in it, where the system can tell that apart from listing it.
_TO_REACH: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_TO_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalFiles:
    """Files below a project's folder, which no symbolic link leads out of.

    A folder is opened once and its files by name from there. That is faster than whole paths, and
    it leaves nobody the time to put a link in the place of a folder that was found to be inside.

    Args:
        root: The storage's directory.
        project_id: The project whose folder in it may be read.
    """

    def __init__(self, root: str, project_id: int) -> None:
        self._root = root
        project = os.path.realpath(f"{root}/{layout.project_root(project_id)}")
        # Of a function that does not know this object: else nothing would be closed with it.
        self._folder = lru_cache(_OPEN_FOLDERS)(partial(_open_folder, root, project))

    def read(self, path: str, max_bytes: int) -> bytes:
        """The bytes of a file, and no more than so many of them.

        Args:
            path: Relative to the root.
            max_bytes: How many.

        Raises:
            OSError: If it can't be read, is no regular file or not inside the project.
        """
        folder, _, name = path.rpartition("/")
        within = self._folder(folder)
        try:
            return _read_in(within, name, max_bytes)
        except FileNotFoundError:
            if self._is_still(folder, within):
                raise
        # Another folder has taken its place since it was opened.
        self._folder.cache_clear()
        return _read_in(self._folder(folder), name, max_bytes)

    def _is_still(self, folder: str, opened: "_OpenFolder") -> bool:
        now = Path(self._root, folder).stat()
        return os.path.samestat(now, os.fstat(opened.descriptor))

    def look(self, places: Iterable[Place]) -> list[Look]:
        """Look at files from outside."""
        newest = time.time_ns() - _SETTLED_NS
        return [self._look(folder, name, newest) for folder, name in places]

    def _look(self, folder: str, name: str, newest: int) -> Look:
        try:
            within = self._folder(folder).descriptor
            status = os.stat(name, dir_fd=within, follow_symlinks=False)
        except (OSError, ValueError):
            return 0, 0  # reading it says what is wrong
        if not stat.S_ISREG(status.st_mode) or status.st_ctime_ns > newest:
            return 0, status.st_size
        # Of integers, so it is the same in every process; without the device, which has another
        # number on every machine that mounts it.
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return hash(key), status.st_size


class _OpenFolder:
    """A folder that stays the same one, whatever its path leads to; closed when nobody has it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor: Final = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


def _read_in(within: _OpenFolder, name: str, max_bytes: int) -> bytes:
    try:
        descriptor = os.open(name, _TO_READ, dir_fd=within.descriptor)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(0, "a symbolic link") from error
        raise
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(0, "not a regular file")
        return _read(descriptor, max_bytes, at_a_time=max(status.st_size, _PAGE_BYTES))
    finally:
        os.close(descriptor)


def _read(descriptor: int, max_bytes: int, *, at_a_time: int) -> bytes:
    """Read to the end of a file, which may be longer by now; a file object would cost as much."""
    parts = []
    while max_bytes and (part := os.read(descriptor, min(max_bytes, at_a_time))):
        parts.append(part)
        max_bytes -= len(part)
    return b"".join(parts)


def _open_folder(root: str, project: str, folder: str) -> _OpenFolder:
    resolved = os.path.realpath(f"{root}/{folder}")
    if not f"{resolved}/".startswith(f"{project}/"):
        raise PermissionError(0, "a symbolic link leaves the project's storage")
    opened = _OpenFolder(os.open(project, _TO_REACH))
    for part in filter(None, resolved.removeprefix(project).split("/")):
        descriptor = os.open(part, _TO_REACH | os.O_NOFOLLOW, dir_fd=opened.descriptor)
        opened = _OpenFolder(descriptor)
    return opened
