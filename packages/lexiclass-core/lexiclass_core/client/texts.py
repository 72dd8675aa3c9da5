"""Texts in a directory, or in an object store through fsspec, for whoever adds documents."""

from functools import cached_property

from lexiclass_core.client.errors import StorageNotGiven
from lexiclass_core.db import Transaction
from lexiclass_core.documents import TextStore
from lexiclass_core.documents.directory import DirectoryTexts
from lexiclass_core.documents.objects import ObjectTexts


def open_texts(base_path: str) -> DirectoryTexts | ObjectTexts:
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
    """What clients look at by its rows, and by texts in the storage."""

    def __init__(self, transaction: Transaction, storage: str | None) -> None:
        self._transaction = transaction
        self._storage = storage

    @cached_property
    def _texts(self) -> TextStore:
        if self._storage is None:
            raise StorageNotGiven
        return open_texts(self._storage)
