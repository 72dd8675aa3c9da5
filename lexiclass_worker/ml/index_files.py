"""The files of a project's indexes, where a reader maps them and a build writes them.

On a disk they are used where they lie. Of an index in an object store this machine keeps a copy,
made of the files its manifest names, which never change: what is missing is downloaded, what is
named no more is dropped. Several processes share the copies; whoever looks at one holds its lock.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from lexiclass import LexiClassError, ModelCorrupt
from lexiclass.checksums import FileRecord
from lexiclass.index.manifest import INDEX_FILE, GenerationManifest
from lexiclass.publish import write_atomically
from lexiclass_worker.ml.jobs import ProjectIndexes
from lexiclass_worker.ml.stored_index import StoredIndex

# A build that has written nothing for so long was killed, and nobody has gone on from it.
_ABANDONED_S: Final = 86_400

_LOCK: Final = ".lock"
_BUILD: Final = ".build"


ReadManifest = Callable[[Path], GenerationManifest]
"""Reads the manifest in a folder; raises LexiClassError if it is not understood."""


@contextmanager
def reading(indexes: ProjectIndexes, name: str, read: ReadManifest) -> Iterator[Path | None]:
    """The folder of an index, for as long as it takes to open it; None if there is no index.

    Files that are mapped once the block ends stay as they are, whatever becomes of the folder.

    Args:
        indexes: Those of the project.
        name: Of the index.
        read: Reads its manifest.

    Raises:
        OSError: If the storage fails, or the index takes more than copies may.
    """
    if not indexes.is_remote:
        directory = Path(indexes.root) / name
        yield directory if directory.is_dir() else None
        return
    copy = _Copy(indexes, name, read)
    with copy.lock():
        is_there = copy.fetch(limit_bytes=indexes.cache_bytes) is not None
        yield copy.directory if is_there else None


@contextmanager
def building(
    indexes: ProjectIndexes, name: str, read: ReadManifest, confirm: Callable[[], None]
) -> Iterator[Path]:
    """A folder to build an index in, with the files of its current generation.

    That of an index on a disk is its own. In an object store the new generation is published at
    the end of the block. A build that is killed leaves its folder; the next one on this machine
    goes on from it, unless there is another generation by then.

    Args:
        indexes: Those of the project.
        name: Of the index.
        read: Reads its manifest.
        confirm: Called before each step that others could notice; what it raises ends the build.
    """
    if not indexes.is_remote:
        yield Path(indexes.root) / name
        return
    copy = _Copy(indexes, name, read)
    working = copy.begin_build()
    yield working
    copy.publish(working, confirm)


class _TooLarge(OSError):
    """A copy would take more than all copies may."""


class _Copy:
    """This machine's copy of an index in an object store."""

    def __init__(self, indexes: ProjectIndexes, name: str, read: ReadManifest) -> None:
        if indexes.cache_directory is None:
            raise ValueError("indexes in an object store need a cache_directory")
        url = f"{indexes.root}/{name}"
        self._stored = StoredIndex(url)
        self._read = read
        self._limit_bytes = indexes.cache_bytes
        self._cache = indexes.cache_directory
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = self._cache / f"{name}-{sha256(url.encode()).hexdigest()[:16]}"
        self._build = self.directory.with_name(self.directory.name + _BUILD)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from changing the copy; it was used now."""
        with _locked(self.directory) as file:
            os.utime(file)
            yield

    def fetch(self, *, limit_bytes: int | None) -> bytes | None:
        """Bring the copy to the current generation, under :meth:`lock`.

        Files that are damaged or missing in the store are left out: opening the copy says so.

        Args:
            limit_bytes: What this copy and all others may take; None if this one is needed
                whatever it takes.

        Returns:
            The manifest; None if there is no index.

        Raises:
            OSError: If the store fails, or the copy would take more.
        """
        manifest = self._stored.manifest()
        while manifest is not None:
            files = self._take_manifest(manifest)
            missing = {name: files[name] for name in files if not self._has(name, files[name])}
            if missing and limit_bytes is not None:
                self._make_room(files, limit_bytes)
            is_whole = self._download(missing)
            # A build that has ended meanwhile has removed what it replaced.
            newest = manifest if is_whole else self._stored.manifest()
            if newest == manifest:
                self._drop_all_but(files)
                break
            manifest = newest
        return manifest

    def begin_build(self) -> Path:
        """A folder with the files of the current generation, or of a killed build from there."""
        working, begun_from = self._build / "files", self._build / "begun_from"
        with self.lock():
            manifest = self.fetch(limit_bytes=None) or b""
            if not begun_from.is_file() or begun_from.read_bytes() != manifest:
                shutil.rmtree(self._build, ignore_errors=True)
                working.mkdir(parents=True)
                if manifest:
                    _link(self.directory, working, _names_in(self.directory))
                begun_from.write_bytes(manifest)
        return working

    def publish(self, working: Path, confirm: Callable[[], None]) -> None:
        """Make what was built the current generation, here as well."""
        files = self._read(working).files
        self._stored.publish(working, files, confirm)
        with self.lock():
            self.directory.mkdir(exist_ok=True)
            _link(working, self.directory, files)
            self._drop_all_but(files)
            # One that takes too much is not kept; readers are told why.
            with suppress(_TooLarge):
                self._make_room(files, self._limit_bytes)
        shutil.rmtree(self._build, ignore_errors=True)

    def _take_manifest(self, manifest: bytes) -> Mapping[str, FileRecord]:
        path = self.directory / INDEX_FILE
        # The same one is not written again: those who have opened it would think it another.
        if not path.is_file() or path.read_bytes() != manifest:
            self.directory.mkdir(exist_ok=True)
            write_atomically(path, manifest)
        try:
            return self._read(self.directory).files
        except LexiClassError:
            return {}  # said again by whoever opens it

    def _has(self, name: str, record: FileRecord) -> bool:
        try:
            return (self.directory / name).stat().st_size == record.size
        except FileNotFoundError:
            return False

    def _download(self, files: Mapping[str, FileRecord]) -> bool:
        """Download files; whether all of them are whole."""
        is_whole = True
        for name, record in files.items():
            try:
                self._stored.download(name, record, self.directory / name)
            except (FileNotFoundError, ModelCorrupt):
                is_whole = False
        return is_whole

    def _drop_all_but(self, files: Mapping[str, FileRecord]) -> None:
        for name in _names_in(self.directory) - files.keys():
            (self.directory / name).unlink(missing_ok=True)

    def _make_room(self, files: Mapping[str, FileRecord], limit_bytes: int) -> None:
        """Remove the copies that were unused for longest, and what killed builds have left."""
        needed_bytes = sum(record.size for record in files.values())
        if needed_bytes > limit_bytes:
            shutil.rmtree(self.directory)
            raise _TooLarge(
                errno.EFBIG,
                f"the index takes {needed_bytes} bytes, and STORAGE__CACHE_BYTES allows copies of "
                f"{limit_bytes}: allow more",
            )
        folders = [path for path in self._cache.iterdir() if path.is_dir()]
        for build in folders:
            if build.suffix == _BUILD and _last_written(build) < time.time() - _ABANDONED_S:
                shutil.rmtree(build, ignore_errors=True)
        others = [path for path in folders if path.suffix != _BUILD and path != self.directory]
        sizes = {path: _size(path) for path in others}
        for other in sorted(others, key=_last_used):
            if needed_bytes + sum(sizes.values()) <= limit_bytes:
                return
            # One that is being opened was used last; there is nothing else to remove then.
            with suppress(BlockingIOError), _locked(other, fcntl.LOCK_NB):
                shutil.rmtree(other, ignore_errors=True)
                del sizes[other]


@contextmanager
def _locked(directory: Path, flags: int = 0) -> Iterator[int]:
    """Hold the lock of a copy. The kernel takes it back from whoever dies."""
    path = directory.with_name(directory.name + _LOCK)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | flags)
        try:
            yield file.fileno()
        finally:
            # Closing is not enough: a process that was forked meanwhile has the file open, too.
            fcntl.flock(file, fcntl.LOCK_UN)


def _names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {INDEX_FILE}


def _link(source: Path, target: Path, names: Iterable[str]) -> None:
    """Bring a generation to another folder; its files don't change, so both can share them."""
    for name in names:
        with suppress(FileExistsError):
            (target / name).hardlink_to(source / name)
    write_atomically(target / INDEX_FILE, (source / INDEX_FILE).read_bytes())


def _last_used(copy: Path) -> float:
    try:
        return copy.with_name(copy.name + _LOCK).stat().st_mtime
    except FileNotFoundError:
        return 0


def _last_written(build: Path) -> float:
    return max((status.st_mtime for status in _statuses((build, *build.rglob("*")))), default=0)


def _size(copy: Path) -> int:
    return sum(status.st_size for status in _statuses(copy.iterdir()))


def _statuses(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    for path in paths:
        with suppress(FileNotFoundError):  # its owner may be removing it
            yield path.lstat()
