"""Storage in a directory."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from lexiclass_worker.file_systems import naming
from lexiclass_worker.storage.base import NoSuchFolder, Staged
from lexiclass_worker.storage.lines import copy_lines

# Work in progress lies on the same file system as what it becomes, so that publishing is a rename.
_SCRATCH: Final = ".scratch"


class LocalStorage:
    """Files in a directory, published by rename.

    Args:
        base_path: The directory.
        makes_root: Whether it is made on first use; one that has vanished is not made again.
    """

    def __init__(self, base_path: str | Path, *, makes_root: bool = True) -> None:
        self._base = Path(base_path).absolute()
        self._makes_root = makes_root

    @property
    def root(self) -> str:
        """See :class:`Storage`."""
        return str(self._base)

    def locate(self, path: PurePosixPath) -> str:
        """See :class:`Storage`."""
        return str(self._base / path)

    def require_root(self) -> None:
        """See :class:`Storage`."""
        if not self._makes_root and not self._base.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, "STORAGE__BASE_PATH is not there", str(self._base)
            )

    def make_root(self) -> None:
        """See :class:`Storage`."""
        self._base.mkdir(parents=True, exist_ok=True)

    def is_empty(self) -> bool:
        """See :class:`Storage`."""
        if not self._base.is_dir():
            return True
        return all(entry.name.startswith(".") for entry in self._base.iterdir())

    def is_directory(self, path: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        # Not Path.is_dir: that raises for a name which is too long to exist.
        return os.path.isdir(self._base / path)  # noqa: PTH112

    def stays_inside(self, path: PurePosixPath, folder: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        inside = os.path.realpath(self._base / path)
        return Path(inside).is_relative_to(os.path.realpath(self._base / folder))

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(
            dir=self._scratch(), ignore_cleanup_errors=True
        ) as directory:
            yield Path(directory)

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        path = self._base / directory
        if not path.is_dir():
            self.require_root()
            raise NoSuchFolder(f"no folder {path}")
        yield path

    def file_sizes(self, directory: PurePosixPath) -> dict[str, int]:
        """See :class:`Storage`."""
        path = self._base / directory
        return {
            file.relative_to(path).as_posix(): file.lstat().st_size
            for file in path.rglob("*")
            if not file.is_dir()
        }

    def stage(self, source: Path, target: PurePosixPath) -> Staged:
        """See :class:`Storage`."""
        if source.is_file():
            _sync(source)
        aside = Path(tempfile.mkdtemp(dir=self._scratch()))
        return _StagedLocally(source, self._base / target, aside)

    def _scratch(self) -> Path:
        self.require_root()
        parent = self._base / _SCRATCH
        parent.mkdir(parents=True, exist_ok=True)
        return parent

    def remove_abandoned(self, *, older_than_s: float, is_dry_run: bool = False) -> list[str]:
        """See :class:`Storage`."""
        limit = time.time() - older_than_s
        abandoned = [
            folder for folder in (self._base / _SCRATCH).glob("*") if _last_written(folder) < limit
        ]
        if not is_dry_run:
            for folder in abandoned:
                shutil.rmtree(folder, ignore_errors=True)
        return [str(folder) for folder in abandoned]

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """See :class:`Storage`."""
        return [_read_if_there(self._base / path) for path in paths]

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        destination = self._base / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        (self._base / source).replace(destination)

    def filter_lines(self, path: PurePosixPath, keep: Callable[[bytes], bool]) -> int:
        """See :class:`Storage`. A link is left alone: what it leads to is of somebody else."""
        target = self._base / path
        if target.is_symlink():
            return 0
        with self.scratch() as scratch:
            kept = scratch / "kept"
            removed = copy_lines(target, kept, keep)
            if removed:
                _sync(kept)
                kept.replace(target)
                _sync(target.parent)
        return removed

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`Storage`."""
        made: set[Path] = set()
        for path, text in texts:
            destination = self._base / path
            if destination.parent not in made:
                destination.parent.mkdir(parents=True, exist_ok=True)
                made.add(destination.parent)
            with naming(str(destination)):
                destination.write_bytes(text.encode())

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`Storage`."""
        target = self._base / path
        while target.is_dir() and not target.is_symlink():
            # Another process may be removing it as well.
            with suppress(FileNotFoundError):
                shutil.rmtree(target)
        target.unlink(missing_ok=True)


class _StagedLocally:
    """Published by rename, with what it replaces moved aside.

    A worker that was taken for dead may wake up in the midst of this, after another has published:
    so it takes back nothing but its own, and what it gives back replaces nothing.
    """

    def __init__(self, source: Path, destination: Path, aside: Path) -> None:
        self._source = source
        self._destination = destination
        self._aside = aside
        self._replaced = aside / "replaced"
        self._published: _Identity | None = None

    @contextmanager
    def reading(self) -> Iterator[Path]:
        """See :class:`Staged`. Publishing moves these very files."""
        yield self._source

    def publish(self) -> None:
        """See :class:`Staged`."""
        identity = _Identity(self._source)
        try:
            self._destination.parent.mkdir(parents=True, exist_ok=True)
            self._keep_what_is_there()
            self._source.replace(self._destination)
        except OSError:
            identity.close()
            _give_back(self._replaced, self._destination)
            raise
        self._published = identity
        _sync(self._destination.parent)

    def withdraw(self) -> None:
        """See :class:`Staged`."""
        if self._published is None or not self._published.is_of(self._destination):
            return
        withdrawn = self._aside / "withdrawn"
        # Another may replace it, or move it aside, even now.
        with suppress(FileNotFoundError):
            self._destination.rename(withdrawn)
        is_own = self._published.is_of(withdrawn)
        _give_back(self._replaced if is_own else withdrawn, self._destination)

    def close(self) -> None:
        """See :class:`Staged`."""
        if self._published is not None:
            self._published.close()
            self._published = None
        shutil.rmtree(self._aside, ignore_errors=True)

    def _keep_what_is_there(self) -> None:
        # A directory cannot be renamed over a full one. A file replaces a file atomically: the old
        # one stays in its place until then.
        with suppress(FileNotFoundError):
            if self._source.is_dir():
                self._destination.rename(self._replaced)
            elif self._destination.is_file():
                self._replaced.hardlink_to(self._destination)


class _Identity:
    """A file or folder, wherever it is moved to.

    It is kept open: the inode of one that is removed could become another's.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._stat = os.fstat(self._descriptor)

    def is_of(self, path: Path) -> bool:
        """Whether it is what lies at a path."""
        try:
            return os.path.samestat(self._stat, path.lstat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


def _read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _give_back(source: Path, destination: Path) -> None:
    """Put what was moved aside back in its place, unless there is none or something is there."""
    try:
        if source.is_dir():
            source.rename(destination)
        else:
            destination.hardlink_to(source)
    except (FileNotFoundError, FileExistsError):
        pass
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _last_written(folder: Path) -> float:
    """When anything in a folder was last written, in seconds since the epoch."""
    times = []
    for path in (folder, *folder.rglob("*")):
        # Its owner may be removing it right now.
        with suppress(FileNotFoundError):
            times.append(path.lstat().st_mtime)
    return max(times, default=time.time())


def _sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
