"""Memory that a child shares with its worker; see :mod:`lexiclass_worker.ml.crash_notes`.

Not multiprocessing's, which lies in /dev/shm: that is small in a container, and whoever fills it
would stop every task.
"""

import fcntl
import mmap
import os
import tempfile
from collections.abc import MutableSequence
from typing import Any, Final

_NUMBER_BYTES: Final = 8


class Notes:
    """Pairs of a process id and a document id; the other process gets the same when it starts."""

    def __init__(self, pairs: int) -> None:
        self._size = 2 * pairs * _NUMBER_BYTES
        self.descriptor = _open_memory()
        """What the other process maps; see :func:`map_notes`."""
        os.ftruncate(self.descriptor, self._size)
        _seal(self.descriptor)
        self._numbers = _map(self.descriptor, self._size)

    def close_file(self) -> None:
        """Let the descriptor go, once the other process has been started; the memory stays."""
        os.close(self.descriptor)

    def document_ids(self) -> list[int]:
        """What each process had noted last."""
        pairs = range(0, len(self._numbers), 2)
        return sorted(self._numbers[place + 1] for place in pairs if self._numbers[place])


def _seal(descriptor: int) -> None:
    """Keep the size: who reads beyond the end of what the other has cut off dies of it."""
    if hasattr(fcntl, "F_ADD_SEALS"):
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def map_notes(descriptor: int) -> MutableSequence[int]:
    """The memory behind a descriptor, which is closed."""
    try:
        return _map(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _map(descriptor: int, size: int) -> MutableSequence[int]:
    numbers: Any = memoryview(mmap.mmap(descriptor, size)).cast("q")
    return numbers  # type: ignore[no-any-return]


def _open_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lexiclass-notes", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
