"""Objects of a store as files below one root, through fsspec."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec
from loguru import logger

from lexiclass_core.file_systems import has_folders, make_folder
from lexiclass_worker.artifacts.naming import naming
from lexiclass_worker.artifacts.storage import NoSuchFolder
from lexiclass_worker.artifacts.temporary import temporary_folder
from lexiclass_worker.causes import cause_of

MANIFESTS: Final = frozenset({"manifest.json"})
"""What says that a folder's other files are complete; goes last."""


class StoredObjects:
    """Files below a root in an object store. Paths are relative to it.

    Attributes:
        fs: The file system of fsspec.
        base: The root, as the file system spells it.
        url: The root, as people do.

    Raises:
        ImportError: If the URL's protocol needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self.fs: Any
        self.fs, base = fsspec.core.url_to_fs(url.rstrip("/"))
        self.base = base.rstrip("/")
        self.url = url.rstrip("/")
        self._is_bulk_refused = False

    def locate(self, path: PurePosixPath) -> str:
        """The URL of a file or folder."""
        return f"{self.url}/{path}"

    def key(self, path: PurePosixPath) -> str:
        """What the store calls a file or folder."""
        return f"{self.base}/{path}"

    def find(self, directory: PurePosixPath) -> tuple[str, dict[str, Any]]:
        """A folder as listings spell it, and what the store says of each file below it."""
        # A listing cached before another worker wrote would hide what it wrote.
        self.fs.invalidate_cache()
        key = self.fs._strip_protocol(self.key(directory))  # noqa: SLF001 - how find() spells it
        with naming(self.locate(directory)):
            return key, self.fs.find(key, detail=True) if self.fs.isdir(key) else {}

    def names_in(self, directory: PurePosixPath) -> set[str]:
        """The files below a folder, relative to it."""
        key, found = self.find(directory)
        return {name.removeprefix(f"{key}/") for name in found}

    @contextmanager
    def writing(self, path: PurePosixPath) -> Iterator[str]:
        """The key of an object that is written in a ``with`` block."""
        make_folder(self.fs, self.key(path.parent))
        with naming(self.locate(path)):
            yield self.key(path)

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        """A local copy of a folder.

        Raises:
            NoSuchFolder: If there is none.
        """
        with temporary_folder() as scratch:
            names = self.names_in(directory)
            if not names:
                raise NoSuchFolder(f"no folder {self.locate(directory)}")
            self.download(directory, names, scratch)
            yield scratch

    def download(self, directory: PurePosixPath, names: set[str], target: Path) -> None:
        """Copy files of a folder to a local one."""
        for name in sorted(names):
            local = target / name
            local.parent.mkdir(parents=True, exist_ok=True)
            with naming(self.locate(directory / name)):
                self.fs.get_file(self.key(directory / name), str(local))

    def upload(self, files: Mapping[str, Path], target: PurePosixPath) -> None:
        """Copy local files to a folder, by their names in it; manifests last."""
        for name in manifests_last(set(files)):
            with self.writing(target / name) as key:
                self.fs.put_file(str(files[name]), key)

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or a folder with all below it; nothing happens if there is none."""
        # What another process wrote since it was listed is there, too.
        self.fs.invalidate_cache()
        with naming(self.locate(path)):
            if has_folders(self.fs):
                if self.fs.exists(self.key(path)):
                    self.fs.rm(self.key(path), recursive=True)
                return
            key, found = self.find(path)
            if not found and self.fs.exists(key):
                found = {key: {}}
            self._remove_objects(path, sorted(found))

    def _remove_objects(self, path: PurePosixPath, keys: list[str]) -> None:
        """Remove objects by one request, or one by one where the store refuses that.

        Some want a checksum that clients send no more, some grant no right to it, some do not know
        it. What is refused of a single object in a list comes as a success.
        """
        refusal: Exception | None = None
        if len(keys) > 1 and not self._is_bulk_refused:
            try:
                self.fs.rm(keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
                refusal = error
            else:
                keys = sorted(self.find(path)[1])
        for key in keys:
            with suppress(FileNotFoundError):
                self.fs.rm_file(key)
        if refusal is not None:
            # It was not the connection: the same objects are gone now.
            self._is_bulk_refused = True
            logger.warning(
                "{store} refuses to remove several objects by one request, so they are removed "
                "one by one: {error}",
                store=self.url,
                error=cause_of(refusal),
            )

    def remove_files(self, directory: PurePosixPath, names: set[str]) -> None:
        """Remove files of a folder."""
        for name in sorted(names):
            with naming(self.locate(directory / name)):
                self.fs.rm_file(self.key(directory / name))


def manifests_last(names: set[str]) -> list[str]:
    """Names of files in the order in which they are to arrive."""
    return sorted(names, key=lambda name: (name in MANIFESTS, name))
