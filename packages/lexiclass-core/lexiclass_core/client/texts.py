"""Texts in a directory, or in an object store through fsspec, for whoever adds documents."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client.errors import StorageNotGiven
from lexiclass_core.documents import TextStore
from lexiclass_core.documents.directory import DirectoryTexts
from lexiclass_core.file_systems import has_folders, make_folder

_TOGETHER: Final = 256

_log: Final = logging.getLogger(__name__)


def open_texts(base_path: str) -> "DirectoryTexts | ObjectTexts":
    """Open the storage of the workers.

    Args:
        base_path: Their STORAGE__BASE_PATH: a directory, or a URL such as ``s3://bucket/prefix``.

    Raises:
        ImportError: If it is a URL, and fsspec, or what it needs for the URL's protocol, is not
            installed.
        ValueError: If nothing speaks the URL's protocol.
    """
    base_path = base_path.removeprefix("file://")
    return ObjectTexts(base_path) if "://" in base_path else DirectoryTexts(base_path)


class WithTexts:
    """What clients look at by its rows, and by texts in the storage.

    Args:
        transaction: Opens one.
        storage: Where the texts lie; None if nobody has said.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]],
        storage: str | None,
    ) -> None:
        self._transaction = transaction
        self._storage = storage

    @cached_property
    def _texts(self) -> TextStore:
        if self._storage is None:
            raise StorageNotGiven
        return open_texts(self._storage)


class ObjectTexts:
    """A :class:`~lexiclass_core.documents.TextStore` in an object store.

    Args:
        base_path: Its URL, such as ``s3://bucket/prefix``.

    Raises:
        ImportError: If fsspec, or what it needs for the URL's protocol, is not installed.
        ValueError: If nothing speaks the URL's protocol.
    """

    def __init__(self, base_path: str) -> None:
        try:
            import fsspec  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "adding documents needs fsspec: pip install 'fsspec>=2025.1'"
            ) from error
        self._fs: Any
        self._fs, base = fsspec.core.url_to_fs(base_path.rstrip("/"))
        self._base = base.rstrip("/")
        self._is_bulk_refused = False
        self._root = base_path.rstrip("/")

    @property
    def root(self) -> str:
        """See :class:`TextStore`."""
        return self._root

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """See :class:`TextStore`."""
        found: list[bytes | None] = []
        for start in range(0, len(paths), _TOGETHER):
            keys = [self._key(path) for path in paths[start : start + _TOGETHER]]
            # Many at a time, and what is missing among them is no error.
            contents = self._fs.cat(keys, on_error="return")
            found.extend(_content(contents[key]) for key in keys)
        return found

    def read_beginning(self, path: PurePosixPath, size: int) -> bytes | None:
        """See :class:`~lexiclass_core.documents.texts.TextReader`."""
        try:
            found: bytes = self._fs.cat_file(self._key(path), start=0, end=size)
        except FileNotFoundError:
            return None
        return found

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`TextStore`."""
        contents = {self._key(path): text.encode() for path, text in texts}
        for folder in {key.rpartition("/")[0] for key in contents}:
            make_folder(self._fs, folder)
        keys = list(contents)
        for start in range(0, len(keys), _TOGETHER):
            self._fs.pipe({key: contents[key] for key in keys[start : start + _TOGETHER]})

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """See :class:`TextStore`. An object store has no rename."""
        make_folder(self._fs, self._key(target.parent))
        self._fs.cp_file(self._key(source), self._key(target))
        self._fs.rm_file(self._key(source))

    def file_sizes(self, directory: PurePosixPath) -> Mapping[str, int]:
        """See :class:`TextStore`."""
        self._fs.invalidate_cache()
        key = self._key(directory)
        found = self._fs.find(key, detail=True) if self._fs.isdir(key) else {}
        return {name.removeprefix(f"{key}/"): int(info["size"]) for name, info in found.items()}

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`TextStore`."""
        self._fs.invalidate_cache()
        key = self._key(path)
        if not self._fs.exists(key):
            return
        if has_folders(self._fs):
            self._fs.rm(key, recursive=True)
        else:
            self._remove_objects(key)

    def _remove_objects(self, key: str) -> None:
        """Remove objects by one request, or one by one where the store refuses that."""
        found = self._fs.find(key) or [key]
        if len(found) > 1 and not self._is_bulk_refused:
            try:
                self._fs.rm(found)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
                self._is_bulk_refused = True
                _log.warning(
                    "the store refuses to remove several objects by one request, so they are "
                    "removed one by one: %r",
                    error,
                )
            # What is refused of a single object in a list comes as a success.
            self._fs.invalidate_cache()
            found = self._fs.find(key)
        for name in found:
            with suppress(FileNotFoundError):
                self._fs.rm_file(name)

    def _key(self, path: PurePosixPath) -> str:
        return f"{self._base}/{path}"


def _content(value: bytes | BaseException) -> bytes | None:
    if isinstance(value, FileNotFoundError):
        return None
    if isinstance(value, BaseException):
        raise value
    return value
