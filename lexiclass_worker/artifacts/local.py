"""Storage in a directory."""

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Final
from uuid import uuid4

from lexiclass_core import layout
from lexiclass_core.documents.directory import DirectoryTexts
from lexiclass_core.folders import Folder, NotRegular, open_below
from lexiclass_worker.artifacts.lines import copy_lines
from lexiclass_worker.artifacts.staged_files import Place, StagedLocally
from lexiclass_worker.artifacts.storage import NoSuchFolder, Staged

# Work in progress lies on the same file system as what it becomes, so that publishing is a rename.
_SCRATCH: Final = layout.scratch_directory()

# In a folder of it: locked by who works there.
_IN_USE: Final = ".in-use"


class LocalStorage(DirectoryTexts):
    """Files in a directory, published by rename.

    The directory may be a link; below it none is followed, see :mod:`lexiclass_core.folders`.

    Args:
        makes_root: Whether it is made on first use; one that has vanished is not made again.
    """

    def __init__(self, base_path: str | Path, *, makes_root: bool = True) -> None:
        super().__init__(base_path)
        self._makes_root = makes_root

    def locate(self, path: PurePosixPath) -> str:
        return str(self._base / path)

    def require_root(self) -> None:
        if not self._makes_root and not self._base.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, "STORAGE__BASE_PATH is not there", str(self._base)
            )

    def is_empty(self) -> bool:
        if not self._base.is_dir():
            return True
        return all(entry.name.startswith(".") for entry in self._base.iterdir())

    def is_directory(self, path: PurePosixPath) -> bool:
        # Not Path.is_dir: that raises for a name which is too long to exist.
        return os.path.isdir(self._base / path)  # noqa: PTH112

    def resolve(self, path: PurePosixPath, folder: PurePosixPath) -> PurePosixPath | None:
        base = os.path.realpath(self._base)
        inside = PurePosixPath(os.path.realpath(f"{base}/{path}"))
        return inside.relative_to(base) if inside.is_relative_to(f"{base}/{folder}") else None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        with self._made(_SCRATCH) as parent:
            with parent.path() as path:
                name = Path(tempfile.mkdtemp(dir=path)).name
            try:
                with parent.folder(Path(name)) as folder, folder.make_file(_IN_USE) as lock:
                    # The kernel takes it back from whoever dies. Where files cannot be locked, the
                    # folder is in use for as long as it is written to.
                    with suppress(OSError):
                        fcntl.flock(lock, fcntl.LOCK_EX)
                    yield self._base / _SCRATCH / name
            finally:
                with suppress(OSError):
                    parent.remove(name)

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        try:
            self._opened(directory).close()
        except (FileNotFoundError, NotADirectoryError) as error:
            self.require_root()
            raise NoSuchFolder(f"no folder {self._base / directory}") from error
        yield self._base / directory

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        """See :class:`Storage`. A worker that was replaced finds its own by their inodes."""
        del attempt
        with (
            suppress(FileNotFoundError, IsADirectoryError),
            open_below(self._base, source.parent) as folder,
            folder.open_file(source.name) as file,
        ):
            os.fsync(file.fileno())
        working = partial(open_below, self._base, source.parent)
        aside = f".replaced-{uuid4().hex}"
        with working() as folder:
            folder.folder(Path(aside), makes=True).close()
        return StagedLocally(
            source,
            Place(working, source.name),
            Place(partial(self._made, target.parent), target.name),
            Place(working, aside),
        )

    def remove_abandoned(self, *, older_than_s: float, is_dry_run: bool = False) -> list[str]:
        limit = time.time() - older_than_s
        try:
            scratch = self._opened(_SCRATCH)
        except FileNotFoundError:
            return []
        with scratch:
            abandoned = [
                name
                for name in scratch.names()
                if _last_written(scratch, name) < limit and not _is_in_use(scratch, name)
            ]
            for name in () if is_dry_run else abandoned:
                with suppress(OSError):
                    scratch.remove(name)
        return [str(self._base / _SCRATCH / name) for name in abandoned]

    def filter_lines(self, path: PurePosixPath, keep: Callable[[bytes], bool]) -> int:
        """See :class:`Storage`. A link is left alone: what it leads to is of somebody else."""
        with self._opened(path.parent) as folder, self._made(_SCRATCH) as scratch:
            aside = f"lines-{uuid4().hex}"
            try:
                with folder.open_file(path.name) as lines, scratch.make_file(aside) as kept:
                    removed = copy_lines(lines, kept, keep)
                    kept.flush()
                    os.fsync(kept.fileno())
                if removed:
                    scratch.move(aside, folder, path.name)
                    folder.sync()
            except NotRegular:
                return 0
            finally:
                scratch.remove(aside)
        return removed

    def _made(self, path: PurePath) -> Folder:
        self.require_root()
        return super()._made(path)


def _is_in_use(scratch: Folder, name: str) -> bool:
    """Whether somebody works in a folder, however long nothing was written there."""
    try:
        with scratch.folder(Path(name)) as folder, folder.open_file(_IN_USE) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # what was left by a version without locks, or where there are none
    return False


def _last_written(scratch: Folder, name: str) -> float:
    """When work in progress was last written to, in seconds since the epoch."""
    # Its owner may be removing it right now.
    times = []
    # Of what cannot be read through, the time of the whole counts.
    with suppress(OSError):
        status = scratch.status(name)
        times.append(status.st_mtime)
        if stat.S_ISDIR(status.st_mode):
            with scratch.folder(Path(name)) as folder:
                times += [found.st_mtime for _, found in folder.files()]
    return max(times, default=time.time())
