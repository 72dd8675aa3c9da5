"""This machine's copies of indexes in an object store.

A copy is made of the files that the index' manifest names, which never change: what is missing is
downloaded, what is named no more is dropped; see :mod:`lexiclass_worker.copies`.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from lexiclass import LexiClassError, ModelCorrupt
from lexiclass.checksums import FileRecord
from lexiclass.index.store.manifest import INDEX_FILE, GenerationManifest
from lexiclass.publish import write_atomically
from lexiclass.writing import writing
from lexiclass_worker.copies import IN_THE_MAKING, CopyTooLarge, locked, make_room, place_of
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml.stored_index import StoredIndex

ReadManifest = Callable[[Path], GenerationManifest]
"""Reads the manifest in a folder; raises LexiClassError if it is not understood."""


class AskToPublish(Protocol):
    """Called before each step that others could notice; what it raises ends the build."""

    def __call__(self, publication: Publication | None = None, /) -> None:
        """Ask with what is published, before a manifest is replaced by another."""
        ...


class IndexCopy:
    """This machine's copy of an index in an object store."""

    def __init__(self, indexes: ProjectIndexes, name: str, read: ReadManifest) -> None:
        if indexes.cache_directory is None:
            raise ValueError("indexes in an object store need a cache_directory")
        url = f"{indexes.location}/{name}"
        self._name = name
        self._stored = StoredIndex(url)
        self._read = read
        self._limit_bytes = indexes.cache_bytes
        self.directory = place_of(indexes.cache_directory, name, url.encode())
        self._build = self.directory.with_name(self.directory.name + IN_THE_MAKING)

    def lock(self) -> AbstractContextManager[int]:
        """Keep other processes from changing the copy."""
        return locked(self.directory)

    def digest(self) -> str | None:
        """SHA-256 of the manifest in the store; None if there is none."""
        manifest = self._stored.manifest()
        return None if manifest is None else hashlib.sha256(manifest).hexdigest()

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

    def publish(self, working: Path, confirm: AskToPublish) -> None:
        """Make what was built the current generation, here as well."""
        files = self._read(working).files

        def announce(before: bytes | None, after: bytes) -> None:
            current = None if before is None else hashlib.sha256(before).hexdigest()
            digest = hashlib.sha256(after).hexdigest()
            confirm(Publication(name=self._name, current=current, next=digest))

        self._stored.publish(working, files, confirm, announce)
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
