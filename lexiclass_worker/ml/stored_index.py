"""An index in an object store: files that never change, and a manifest that names them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import fsspec

from lexiclass import ModelCorrupt
from lexiclass.checksums import FileRecord
from lexiclass.index.store.manifest import INDEX_FILE
from lexiclass.publish import sync
from lexiclass_core.file_systems import make_folder
from lexiclass_worker.file_systems import naming

_DATA_SUFFIX: Final = ".safetensors"


class StoredIndex:
    """One index of an object store.

    Args:
        url: Of its folder.
    """

    def __init__(self, url: str) -> None:
        self._fs: Any
        # A listing cached before another worker wrote would hide what it wrote.
        self._fs, self._folder = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._url = url

    def manifest(self) -> bytes | None:
        """The manifest of the current generation; None if there is no index."""
        try:
            content: bytes = self._fs.cat_file(f"{self._folder}/{INDEX_FILE}")
        except FileNotFoundError:
            return None
        return content

    def download(self, name: str, record: FileRecord, target: Path) -> None:
        """Copy a file; it is at ``target`` only once it is whole.

        Raises:
            FileNotFoundError: If it is gone.
            ModelCorrupt: If it is not what the record says.
        """
        partial = target.with_name(f".{name}.{uuid4().hex}.partial")
        try:
            with naming(self._locate(name)):
                self._fs.get_file(f"{self._folder}/{name}", str(partial))
            if FileRecord.of(partial) != record:
                raise ModelCorrupt(name, "its SHA-256 differs: the content was changed")
            sync(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def publish(
        self,
        directory: Path,
        files: Mapping[str, FileRecord],
        confirm: Callable[[], None],
        announce: Callable[[bytes | None, bytes], None],
    ) -> None:
        """Make the generation in a local folder the current one: what is new, then its manifest.

        Until the manifest is replaced, readers see the old generation. Files that no generation
        names any more are removed then.

        Args:
            directory: With the files and their manifest.
            files: What the manifest names.
            confirm: Called before files are removed; what it raises ends the publication.
            announce: Called before the manifest is replaced, with both; the same holds for it.
        """
        there = self._sizes()
        if not there:
            make_folder(self._fs, self._folder)
        for name, record in files.items():
            if there.get(name) != record.size:
                self._upload(directory, name)
        before, after = self.manifest(), (directory / INDEX_FILE).read_bytes()
        if after != before:
            announce(before, after)
            self._upload(directory, INDEX_FILE)
        confirm()
        for name in sorted(there.keys() - files.keys()):
            with naming(self._locate(name)):
                self._fs.rm_file(f"{self._folder}/{name}")

    def _upload(self, directory: Path, name: str) -> None:
        with naming(self._locate(name)):
            self._fs.put_file(str(directory / name), f"{self._folder}/{name}")

    def _locate(self, name: str) -> str:
        return f"{self._url}/{name}"

    def remove(self) -> None:
        """Remove the index: the manifest first, then it is none any more."""
        names = [entry["name"] for entry in self._entries() if entry["type"] == "file"]
        for name in sorted(names, key=lambda name: name.rpartition("/")[2] != INDEX_FILE):
            self._fs.rm_file(name)

    def _sizes(self) -> dict[str, int]:
        """Bytes of each data file there is, named or not."""
        names = ((entry["name"].rpartition("/")[2], entry) for entry in self._entries())
        return {
            name: int(entry["size"])
            for name, entry in names
            if entry["type"] == "file" and name.endswith(_DATA_SUFFIX)
        }

    def _entries(self) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = self._fs.ls(self._folder, detail=True)
        except FileNotFoundError:
            return []
        return entries


def stored_indexes(url: str) -> list[str]:
    """The names of the folders below a URL.

    Raises:
        OSError: If the store fails.
    """
    fs, folder = fsspec.core.url_to_fs(url, use_listings_cache=False)
    try:
        entries = fs.ls(folder, detail=True)
    except FileNotFoundError:
        return []
    return sorted(
        entry["name"].rstrip("/").rpartition("/")[2]
        for entry in entries
        if entry["type"] == "directory"
    )
