"""The files of a project's indexes, where a reader maps them and a build writes them.

On a disk they are used where they lie, in a folder that is held open: what is put in its place
meanwhile leads nowhere else. Of an index in an object store this machine keeps a copy, made of the
files its manifest names, which never change: what is missing is downloaded, what is named no more
is dropped; see :mod:`lexiclass_worker.copies`. Whoever looks at one has it alone.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path, PurePath
from stat import S_ISDIR

from lexiclass import LexiClassError, ModelCorrupt
from lexiclass.checksums import FileRecord
from lexiclass.index.manifest import INDEX_FILE, GenerationManifest
from lexiclass.publish import write_atomically
from lexiclass.writing import writing
from lexiclass_core.folders import Folder
from lexiclass_worker.copies import IN_THE_MAKING, CopyTooLarge, locked, make_room, place_of
from lexiclass_worker.ml.jobs import ProjectIndexes
from lexiclass_worker.ml.opened_folders import path_of
from lexiclass_worker.ml.stored_index import StoredIndex, stored_indexes

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
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(_opened(indexes, name))
            except (FileNotFoundError, NotADirectoryError):
                yield None
            else:
                yield stack.enter_context(path_of(folder))
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
        with _opened(indexes, name, makes=True) as folder, path_of(folder) as directory:
            yield directory
        return
    copy = _Copy(indexes, name, read)
    working = copy.begin_build()
    yield working
    copy.publish(working, confirm)


def names_of(indexes: ProjectIndexes) -> list[str]:
    """The names of a project's indexes, whole or not.

    Raises:
        OSError: If the storage fails.
    """
    if indexes.is_remote:
        return stored_indexes(indexes.location)
    try:
        folder = _opened(indexes)
    except FileNotFoundError:
        return []
    with folder:
        return sorted(name for name in folder.names() if S_ISDIR(folder.status(name).st_mode))


def remove(
    indexes: ProjectIndexes, name: str, read: ReadManifest, confirm: Callable[[], None]
) -> None:
    """Remove an index, and this machine's copy of it. Its readers see no index then.

    Args:
        indexes: Those of the project.
        name: Of the index.
        read: Reads its manifest.
        confirm: Called before; what it raises keeps the index.
    """
    confirm()
    if indexes.is_remote:
        _Copy(indexes, name, read).remove()
        return
    with _opened(indexes) as folder:
        folder.remove(name)


def _opened(indexes: ProjectIndexes, name: str = "", *, makes: bool = False) -> Folder:
    """The folder of an index on a disk, or of all of them."""
    with Folder.open(Path(indexes.root)) as root:
        return root.folder(PurePath(indexes.folder, name), makes=makes)


class _Copy:
    """This machine's copy of an index in an object store."""

    def __init__(self, indexes: ProjectIndexes, name: str, read: ReadManifest) -> None:
        if indexes.cache_directory is None:
            raise ValueError("indexes in an object store need a cache_directory")
        url = f"{indexes.location}/{name}"
        self._stored = StoredIndex(url)
        self._read = read
        self._limit_bytes = indexes.cache_bytes
        self.directory = place_of(indexes.cache_directory, name, url.encode())
        self._build = self.directory.with_name(self.directory.name + IN_THE_MAKING)

    def lock(self) -> AbstractContextManager[int]:
        """Keep other processes from changing the copy."""
        return locked(self.directory)

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
                with writing(begun_from):
                    begun_from.write_bytes(manifest)
            os.utime(self._build)  # gone on from: not abandoned
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
            with suppress(CopyTooLarge):
                self._make_room(files, self._limit_bytes)
        shutil.rmtree(self._build, ignore_errors=True)

    def remove(self) -> None:
        """Remove the index in the store, and what this machine has of it."""
        self._stored.remove()
        with self.lock():
            shutil.rmtree(self.directory, ignore_errors=True)
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
        make_room(self.directory, sum(record.size for record in files.values()), limit_bytes)


def _names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {INDEX_FILE}


def _link(source: Path, target: Path, names: Iterable[str]) -> None:
    """Bring a generation to another folder; its files don't change, so both can share them."""
    for name in names:
        with suppress(FileExistsError):
            (target / name).hardlink_to(source / name)
    write_atomically(target / INDEX_FILE, (source / INDEX_FILE).read_bytes())
