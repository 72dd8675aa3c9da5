"""Documents in an object store: what it says of them, and their bytes."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from inspect import signature
from itertools import chain
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

from lexiclass_core.file_systems import read_times_quickly

_REQUESTS_AT_A_TIME: Final = 16

# What was answered and nobody has taken yet.
_HELD_BYTES: Final = 32_000_000

# As large as most documents are.
_EXPECTED_BYTES: Final = 65_536

# Where an object has no tag, see lexiclass_worker.ml.local_files.
_SETTLED_S: Final = 2.0

Look = tuple[int, int]
"""The stamp and the size of an object or a file; 0 for a stamp that can't be relied on."""

Contents = Generator[bytes | OSError, None, None]
"""The bytes of documents, or why there are none; to be closed by whoever loses interest."""

NOTHING: Final[Look] = (0, 0)


ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Budget:
    """Bytes of results that were asked for beforehand, of all who share it together."""

    def __init__(self, num_bytes: int) -> None:
        self._left = num_bytes
        self._changing = Lock()

    def take(self, num_bytes: int) -> bool:
        """Take some; whether there were as many."""
        with self._changing:
            if num_bytes > self._left:
                return False
            self._left -= num_bytes
            return True

    def give_back(self, num_bytes: int) -> None:
        """Give back what was taken."""
        with self._changing:
            self._left += num_bytes


class _Asked(NamedTuple, Generic[ItemT, ResultT]):
    item: ItemT
    reserved: int
    result: Future[ResultT]


def prefetch(
    ask: Callable[[ItemT, int], ResultT],
    items: Iterable[ItemT],
    *,
    size: Callable[[ResultT], int],
    most: int,
    budget: Budget,
) -> Generator[ResultT, None, None]:
    """Ask a store for something of each item, some requests at a time; results come in order.

    A store takes its time for each answer, and gives many at once. There are more at a time with
    each that was answered, as far as the budget goes: it is asked beforehand for no more than the
    largest so far had. Whose turn it is gets whatever it needs, so that nobody waits for another.

    Args:
        ask: Gives no more than so many bytes of an item.
        items: What for.
        size: Bytes of a result.
        most: As many as a result may have.
        budget: What results that are not taken yet may have.
    """
    pending: deque[_Asked[ItemT, ResultT]] = deque()
    answered, expected = 0, min(most, _EXPECTED_BYTES)

    def begin(item: ItemT) -> bool:
        reserved = expected if pending else 0
        if len(pending) > min(_REQUESTS_AT_A_TIME, answered) or not budget.take(reserved):
            return False
        result = pool.submit(ask, item, reserved if pending else most)
        pending.append(_Asked(item, reserved, result))
        return True

    def taken() -> Generator[ResultT, None, None]:
        nonlocal answered, expected
        item, reserved, future = pending[0]
        result = future.result()
        if pending[0].reserved and size(result) >= reserved < most:  # there may be more of it
            result = ask(item, most)
        answered, expected = answered + 1, max(expected, min(most, size(result) + 1))
        pending.popleft()
        budget.give_back(reserved)
        yield result

    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        try:
            for item in items:
                while not begin(item):
                    yield from taken()
            while pending:
                yield from taken()
        finally:
            pool.shutdown(cancel_futures=True)
            budget.give_back(sum(each.reserved for each in pending))


class DocumentObjects:
    """Documents below a folder of an object store, which has no links.

    Args:
        base: The storage's root, as the file system spells it.
        require_wanted: Raises OSError once nobody wants anything of these any more.
    """

    def __init__(
        self, file_system: Any, base: str, require_wanted: Callable[[], None] = lambda: None
    ) -> None:
        self._fs = file_system
        self._base = base
        self._require_wanted = require_wanted
        self._budget = Budget(_HELD_BYTES)

    def read(self, paths: Iterable[str], max_bytes: int) -> Contents:
        """The bytes of objects in order, no more than so many of each, or why there are none."""
        read_times_quickly(self._fs)
        return prefetch(self._read_one, paths, size=_size, most=max_bytes, budget=self._budget)

    def _read_one(self, path: str, max_bytes: int) -> bytes | OSError:
        try:
            return self._read(path, max_bytes)
        except OSError as error:
            return error

    def _read(self, path: str, max_bytes: int) -> bytes:
        self._require_wanted()
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

    @property
    def lists_by_prefix(self) -> bool:
        """Whether the store lists by the beginning of names, as those do that have no folders."""
        return "prefix" in signature(self._fs.find).parameters

    def listed(self, folder: str, prefixes: Iterable[str] = ("",)) -> dict[str, Look]:
        """What listings of a folder say of each object in it, by name."""

        def ask(prefix: str, _: int) -> dict[str, Look]:
            self._require_wanted()
            return self._listed(folder, prefix)

        read_times_quickly(self._fs)
        budget = Budget(_HELD_BYTES)
        listings = prefetch(ask, prefixes, size=lambda _: 0, most=1, budget=budget)
        return dict(chain.from_iterable(listing.items() for listing in listings))

    def _listed(self, folder: str, prefix: str) -> dict[str, Look]:
        newest = time.time() - _SETTLED_S
        key = f"{self._base}/{folder}"
        try:
            if prefix:
                # With what is in folders below.
                found = self._fs.find(key, detail=True, prefix=prefix).values()
                entries = [each for each in found if each["name"].rpartition("/")[0] == key]
            else:
                entries = self._fs.ls(key, detail=True)
        except FileNotFoundError:
            return {}
        return {
            entry["name"].rpartition("/")[2]: look_at(entry, newest)
            for entry in entries
            if entry["type"] == "file"
        }

    def looked_at(self, folder: str, names: Iterable[str]) -> dict[str, Look]:
        """What the store says of some objects of a folder when it is asked for each."""
        newest = time.time() - _SETTLED_S

        def ask(name: str, _: int) -> tuple[str, Look]:
            self._require_wanted()
            try:
                return name, look_at(self._fs.info(f"{self._base}/{folder}/{name}"), newest)
            except (OSError, ValueError):
                return name, NOTHING  # reading it says what is wrong

        return dict(prefetch(ask, names, size=lambda _: 0, most=1, budget=Budget(_HELD_BYTES)))


def _size(content: bytes | OSError) -> int:
    return len(content) if isinstance(content, bytes) else 1


def look_at(entry: Mapping[str, Any], newest: float) -> Look:
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
