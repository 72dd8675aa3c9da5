"""Indexes that this process has opened before: their files are mapped, and checked already."""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lexiclass.checksums import FileIdentity, file_identity

IndexT = TypeVar("IndexT")


class OpenedIndexes:
    """Opened indexes, the longest unused given up first.

    One is opened again as soon as any file of its directory is another: a build has published a
    new generation, or somebody has written to a file that is mapped.

    Args:
        capacity: How many to keep; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._opened: OrderedDict[str, tuple[frozenset[tuple[str, FileIdentity]], Any]] = (
            OrderedDict()
        )

    def open(
        self, directory: Path, opener: Callable[[Path], IndexT], *, location: str | None = None
    ) -> IndexT:
        """The index in a directory.

        ``opener`` is always the same one for an index. ``location`` names the index where another
        path leads to it each time.

        Raises:
            OSError: If the directory cannot be read.
        """
        location = location or str(directory)
        files = _look_at_files(directory)
        before, index = self._opened.pop(location, (None, None))
        if index is None or before != files:
            index = opener(directory)
        self._opened[location] = (files, index)
        while len(self._opened) > self._capacity:
            self._opened.popitem(last=False)
        opened: IndexT = index
        return opened


def _look_at_files(directory: Path) -> frozenset[tuple[str, FileIdentity]]:
    found = set()
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a build removes what it has replaced
                found.add((entry.name, file_identity(entry.stat(follow_symlinks=False))))
    return frozenset(found)


def keep_indexes(capacity: int) -> None:
    """Set how many opened indexes this process keeps; 0, as at first, keeps none."""
    global keeper  # noqa: PLW0603 - one for the process, whose memory it takes
    keeper = OpenedIndexes(capacity)


keeper = OpenedIndexes(0)
