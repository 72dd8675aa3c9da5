"""Documents in an object store: what it says of them, and their bytes."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Final, TypeVar

_REQUESTS_AT_A_TIME: Final = 16

# What was answered and nobody has taken yet.
_HELD_BYTES: Final = 16_000_000

# Where an object has no tag, see lexiclass_worker.ml.local_files.
_SETTLED_S: Final = 2.0

Look = tuple[int, int]
"""The stamp and the size of an object or a file; 0 for a stamp that can't be relied on."""

Contents = Generator[bytes | OSError, None, None]
"""The bytes of documents, or why there are none; to be closed by whoever loses interest."""

NOTHING: Final[Look] = (0, 0)


ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def prefetch(
    function: Callable[[ItemT], ResultT], items: Iterable[ItemT], size: Callable[[ResultT], int]
) -> Generator[ResultT, None, None]:
    """Apply what asks a store for something to items, some requests at a time.

    A store takes its time for each answer, and gives many at once. There are more at a time with
    each that was answered, as many as fit into some memory if they are as large as the largest.

    Args:
        function: Asks.
        items: What for.
        size: Bytes of a result, or about.

    Yields:
        The results in the order of the items.
    """
    pending: deque[Future[ResultT]] = deque()
    answered, largest = 0, 1
    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                while len(pending) > min(_REQUESTS_AT_A_TIME, answered, _HELD_BYTES // largest):
                    result = pending.popleft().result()
                    answered, largest = answered + 1, max(largest, size(result))
                    yield result
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


class DocumentObjects:
    """Documents below a folder of an object store, which has no links.

    Args:
        file_system: Of fsspec.
        base: The storage's root, as the file system spells it.
    """

    def __init__(self, file_system: Any, base: str) -> None:
        self._fs = file_system
        self._base = base

    def read(self, paths: Iterable[str], max_bytes: int) -> Contents:
        """The bytes of objects in order, no more than so many of each, or why there are none."""
        return prefetch(lambda path: self._read_one(path, max_bytes), paths, size=_size)

    def _read_one(self, path: str, max_bytes: int) -> bytes | OSError:
        try:
            return self._read(path, max_bytes)
        except OSError as error:
            return error

    def _read(self, path: str, max_bytes: int) -> bytes:
        key = f"{self._base}/{path}"
        try:
            content: bytes = self._fs.cat_file(key, start=0, end=max_bytes)
        except FileNotFoundError:
            raise
        except OSError:
            # HTTP has no range of nothing (RFC 9110, 14.1.2): an empty object is refused.
            if self._fs.size(key) != 0:
                raise
            return b""
        return content

    def listed(self, folder: str) -> dict[str, Look]:
        """What a listing of a folder says of each object in it, by name."""
        newest = time.time() - _SETTLED_S
        try:
            entries = self._fs.ls(f"{self._base}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rpartition("/")[2]: _look(entry, newest) for entry in entries}

    def looked_at(self, folder: str, names: Iterable[str]) -> dict[str, Look]:
        """What the store says of some objects of a folder when it is asked for each."""
        newest = time.time() - _SETTLED_S

        def ask(name: str) -> tuple[str, Look]:
            try:
                return name, _look(self._fs.info(f"{self._base}/{folder}/{name}"), newest)
            except (OSError, ValueError):
                return name, NOTHING  # reading it says what is wrong

        return dict(prefetch(ask, names, size=lambda _: 1))


def _size(content: bytes | OSError) -> int:
    return len(content) if isinstance(content, bytes) else 1


def _look(entry: Mapping[str, Any], newest: float) -> Look:
    """What an entry of a listing says of an object; S3, GCS and Azure give a tag of its content."""
    if entry["type"] != "file":
        return NOTHING
    size = int(entry["size"] or 0)
    tag, modified = entry.get("ETag") or entry.get("etag"), entry.get("mtime")
    if tag:
        key: tuple[Any, ...] = (tag, size)
    elif modified is not None and modified <= newest:
        key = (entry.get("ino"), size, modified, entry.get("created"))
    else:
        return 0, size
    # Not hash(), which is another in every process.
    stamp = int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), signed=True)
    return stamp or 1, size
