"""A project's files on a disk: what can be told of them from outside, and their bytes."""

import os
import stat
import time
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Final

from lexiclass_core import layout
from lexiclass_core.folders import Folder, open_regular
from lexiclass_worker.artifacts.document_objects import Look
from lexiclass_worker.ml.document_paths import DocumentPath

# File systems keep times to some milliseconds, network file systems by the clock of their server.
_SETTLED_NS: Final = 2_000_000_000

# Documents lie in few folders, or in one of their own each: none is asked for long after.
_OPEN_FOLDERS: Final = 64

_PAGE_BYTES: Final = 4096

# A file that is written to while it is read is read again, so often.
_READINGS: Final = 3


class LocalFiles:
    """Files below a project's folder, which no symbolic link leads out of.

    A folder is opened once and its files by name from there. That is faster than whole paths, and
    it leaves nobody the time to put a link in the place of a folder that was found to be inside.
    """

    def __init__(self, root: str, project_id: int) -> None:
        self._root = root
        # Of a function that does not know this object: else nothing would be closed with it.
        project = str(layout.project_root(project_id))
        self._folder = lru_cache(_OPEN_FOLDERS)(partial(_open_folder, root, project))

    def read(self, path: str, max_bytes: int) -> bytes:
        """No more than ``max_bytes`` of a file, whose path is relative to the root.

        Raises:
            OSError: If it can't be read, is no regular file, not inside the project, or was written
                to meanwhile.
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

    def _is_still(self, folder: str, opened: Folder) -> bool:
        now = Path(self._root, folder).stat()
        return os.path.samestat(now, os.fstat(opened.descriptor))

    def look(self, places: Iterable[DocumentPath]) -> list[Look]:
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
        return hash(_identity(status)), status.st_size


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """What is another once a file was written to.

    Of integers, so its hash is the same in every process; without the device, which has another
    number on every machine that mounts it.
    """
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_in(within: Folder, name: str, max_bytes: int) -> bytes:
    descriptor = open_regular(name, within.descriptor)
    try:
        for _ in range(_READINGS):
            before = os.fstat(descriptor)
            content = _read(descriptor, max_bytes, at_a_time=max(before.st_size, _PAGE_BYTES))
            if _identity(os.fstat(descriptor)) == _identity(before):
                return content
            os.lseek(descriptor, 0, os.SEEK_SET)
    finally:
        os.close(descriptor)
    raise PermissionError(0, "it is being written to")


def _read(descriptor: int, max_bytes: int, *, at_a_time: int) -> bytes:
    """Read to the end of a file, which may be longer by now; a file object would cost as much."""
    parts = []
    while max_bytes and (part := os.read(descriptor, min(max_bytes, at_a_time))):
        parts.append(part)
        max_bytes -= len(part)
    return b"".join(parts)


def _open_folder(root: str, project: str, folder: str) -> Folder:
    inside = os.path.realpath(f"{root}/{project}")
    resolved = os.path.realpath(f"{root}/{folder}")
    if not f"{resolved}/".startswith(f"{inside}/"):
        raise PermissionError(0, "a symbolic link leaves the project's storage")
    with Folder.open(Path(root)) as opened:
        return opened.folder(PurePath(project, resolved.removeprefix(inside).lstrip("/")))
