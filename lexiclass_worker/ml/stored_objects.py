"""Documents in an object store: what it says of them, and their bytes."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, Final, TypeVar

import fsspec

# Up to so many objects of a folder are asked for one by one; a listing has a thousand in a page,
# and comes with all that the folder holds.
_FEW: Final = 100

_REQUESTS_AT_A_TIME: Final = 16

# What was answered and nobody has taken yet.
_HELD_BYTES: Final = 64_000_000

# Where an object has no tag, see lexiclass_worker.ml.local_files.
_SETTLED_S: Final = 2.0

Look = tuple[int, int]
"""The stamp and the size of an object or a file; 0 for a stamp that can't be relied on."""

Place = tuple[str, str]
"""A folder, relative to the storage's root, and a name in it; an empty name is of nothing."""

_NOTHING: Final[Look] = (0, 0)


ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def prefetch(
    function: Callable[[ItemT], ResultT], items: Iterable[ItemT], size: Callable[[ResultT], int]
) -> Iterator[ResultT]:
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


class StoredObjects:
    """Objects below a URL, which has no links. Not for use in a process that is forked off.

    Args:
        root: The URL.
    """

    def __init__(self, root: str) -> None:
        self._fs: Any
        self._fs, base = fsspec.core.url_to_fs(root, use_listings_cache=False)
        self._base = base.rstrip("/")

    def read(self, path: str, max_bytes: int) -> bytes:
        """The bytes of an object, and no more than so many of them.

        Raises:
            OSError: If it can't be read.
        """
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

    def look(self, places: Sequence[Place], listed: dict[str, Mapping[str, Look]]) -> list[Look]:
        """Look at objects from outside.

        Args:
            places: Where they are.
            listed: Folders that were listed before, by path; those that are listed now are added.
        """
        names = defaultdict(set)
        for folder, name in places:
            names[folder].add(name)
        alone = {}
        for folder, some in names.items():
            if folder not in listed and len(some) > _FEW:
                listed[folder] = self._list(folder)
            if folder not in listed:
                alone[folder] = self._ask_for(folder, some)
        return [
            (alone[folder] if folder in alone else listed[folder]).get(name, _NOTHING)
            for folder, name in places
        ]

    def _list(self, folder: str) -> dict[str, Look]:
        newest = time.time() - _SETTLED_S
        try:
            entries = self._fs.ls(f"{self._base}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rpartition("/")[2]: _look(entry, newest) for entry in entries}

    def _ask_for(self, folder: str, names: Iterable[str]) -> dict[str, Look]:
        newest = time.time() - _SETTLED_S

        def ask(name: str) -> tuple[str, Look]:
            try:
                return name, _look(self._fs.info(f"{self._base}/{folder}/{name}"), newest)
            except (OSError, ValueError):
                return name, _NOTHING  # reading it says what is wrong

        return dict(prefetch(ask, filter(None, names), size=lambda _: 1))


def _look(entry: Mapping[str, Any], newest: float) -> Look:
    """What an entry of a listing says of an object; S3, GCS and Azure give a tag of its content."""
    if entry["type"] != "file":
        return _NOTHING
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
