"""Objects of a store as files below one root, through fsspec."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from lexiclass_core.documents.objects import ObjectTexts
from lexiclass_core.file_systems import naming
from lexiclass_worker.artifacts.storage import NoSuchFolder
from lexiclass_worker.artifacts.temporary import temporary_folder

MANIFESTS: Final = frozenset({"manifest.json"})
"""What says that a folder's other files are complete; goes last."""


class StoredObjects(ObjectTexts):
    """Files below a root in an object store, with local copies. Paths are relative to it."""

    def names_in(self, directory: PurePosixPath) -> set[str]:
        """The files below a folder, relative to it."""
        key, found = self.find(directory)
        return {name.removeprefix(f"{key}/") for name in found}

    @contextmanager
    def fetched(self, directory: PurePosixPath) -> Iterator[Path]:
        """A local copy of a folder, made for the time of a ``with`` block.

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

    def remove_files(self, directory: PurePosixPath, names: set[str]) -> None:
        """Remove files of a folder."""
        for name in sorted(names):
            with naming(self.locate(directory / name)):
                self.fs.rm_file(self.key(directory / name))


def manifests_last(names: set[str]) -> list[str]:
    """Names of files in the order in which they are to arrive."""
    return sorted(names, key=lambda name: (name in MANIFESTS, name))
