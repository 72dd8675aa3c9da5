"""Texts in an object store, through fsspec."""

import errno
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from lexiclass_core.file_systems import has_folders, make_folder, naming, refused_request

T = TypeVar("T")

# Small objects that are read or written side by side.
_TOGETHER: Final = 256

# What a store says to a request that it never takes, or never from this account.
_REFUSALS: Final = frozenset(
    {"AccessDenied", "MethodNotAllowed", "MissingContentMD5", "NotImplemented"}
)
# What passes, as codes and as states of HTTP, beside those of a server's own fault.
_PASSING: Final = frozenset(
    {"ExpiredToken", "OperationAborted", "RequestTimeTooSkewed", "RequestTimeout", "SlowDown"}
)
_PASSING_STATES: Final = frozenset({404, 408, 409, 425, 429})
_NOT_IMPLEMENTED: Final = 501

_log: Final = logging.getLogger(__name__)


class ObjectTexts:
    """A :class:`~lexiclass_core.documents.TextStore` in an object store.

    Args:
        url: Such as ``s3://bucket/prefix``.

    Attributes:
        root: See :class:`TextStore`.
        fs: The file system of fsspec.
        base: The root, as the file system spells it.

    Raises:
        ImportError: If fsspec, or what it needs for the URL's protocol, is not installed.
        ValueError: If nothing speaks the URL's protocol.
    """

    def __init__(self, url: str) -> None:
        try:
            import fsspec  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "an object store needs fsspec: pip install 'fsspec>=2025.1'"
            ) from error
        self.fs: Any
        self.fs, base = fsspec.core.url_to_fs(url.rstrip("/"))
        self.base = base.rstrip("/")
        self.root = url.rstrip("/")
        self._is_bulk_refused = False
        self._bulk_failure = ""

    def locate(self, path: PurePosixPath) -> str:
        """The URL of a file or folder."""
        return f"{self.root}/{path}"

    def key(self, path: PurePosixPath) -> str:
        """What the store calls a file or folder."""
        return f"{self.base}/{path}"

    def find(self, directory: PurePosixPath) -> tuple[str, dict[str, Any]]:
        """A folder as listings spell it, and what the store says of each file below it."""
        # A listing cached before another process wrote would hide what it wrote.
        self.fs.invalidate_cache()
        key = self._spelt(directory)
        with naming(self.locate(directory)):
            return key, self.fs.find(key, detail=True) if self.fs.isdir(key) else {}

    @contextmanager
    def writing(self, path: PurePosixPath) -> Iterator[str]:
        """The key of an object that is written in a ``with`` block."""
        make_folder(self.fs, self.key(path.parent))
        with naming(self.locate(path)):
            yield self.key(path)

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """See :class:`TextStore`."""
        found: list[bytes | None] = []
        for batch in _batches(paths):
            # Many at a time, and what is missing among them is no error.
            contents = self.fs.cat([self.key(path) for path in batch], on_error="return")
            read = {self.fs._strip_protocol(key): each for key, each in contents.items()}  # noqa: SLF001
            found.extend(_content(read[self._spelt(path)]) for path in batch)
        return found

    def read_beginning(self, path: PurePosixPath, size: int) -> bytes | None:
        """See :class:`~lexiclass_core.documents.texts.TextReader`."""
        try:
            found: bytes = self.fs.cat_file(self.key(path), start=0, end=size)
        except FileNotFoundError:
            return None
        return found

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`TextStore`."""
        for batch in _batches(texts):
            for parent in {path.parent for path, _ in batch}:
                make_folder(self.fs, self.key(parent))
            with naming(self.locate(batch[0][0].parent)):
                self.fs.pipe({self.key(path): text.encode() for path, text in batch})

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """See :class:`TextStore`. An object store has no rename."""
        with self.writing(target) as key:
            self.fs.cp_file(self.key(source), key)
        with naming(self.locate(source)):
            self.fs.rm_file(self.key(source))

    def file_sizes(self, directory: PurePosixPath) -> dict[str, int]:
        """See :class:`TextStore`."""
        key, found = self.find(directory)
        return {name.removeprefix(f"{key}/"): int(info["size"]) for name, info in found.items()}

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`TextStore`."""
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
        failure: Exception | None = None
        if len(keys) > 1 and not self._is_bulk_refused:
            try:
                self.fs.rm(keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
                failure = error
            else:
                self._bulk_failure = ""
                keys = sorted(self.find(path)[1])
        for key in keys:
            with suppress(FileNotFoundError):
                self.fs.rm_file(key)
        if failure is not None:
            # It was not the connection: the same objects are gone now.
            self._judge(failure)

    def _judge(self, failure: Exception) -> None:
        """Find out whether one request for several objects is to be tried again."""
        said = str(refused_request(failure) or type(failure).__name__)
        if not _is_passing(failure) and (_is_refusal(failure) or said == self._bulk_failure):
            self._is_bulk_refused = True
            _log.warning(
                "%s refuses to remove several objects by one request (%s), so they are removed one "
                "by one: %r",
                self.root,
                said,
                failure,
            )
            return
        self._bulk_failure = "" if _is_passing(failure) else said
        _log.info(
            "%s did not remove several objects by one request (%s), but one by one: %r",
            self.root,
            said,
            failure,
        )

    def _spelt(self, path: PurePosixPath) -> str:
        """A file or folder as listings spell it."""
        spelt: str = self.fs._strip_protocol(self.key(path))  # noqa: SLF001 - how find() spells it
        return spelt


def _is_refusal(failure: Exception) -> bool:
    """Whether a store says that it never takes such a request."""
    if (refused := refused_request(failure)) is not None:
        return refused.code in _REFUSALS or refused.status == _NOT_IMPLEMENTED
    return isinstance(failure, NotImplementedError | PermissionError) or (
        isinstance(failure, OSError) and failure.errno == errno.ENOSYS
    )


def _is_passing(failure: Exception) -> bool:
    """Whether a failure is one of a moment: another was faster, or the store was busy."""
    if isinstance(failure, FileNotFoundError | TimeoutError | ConnectionError):
        return True
    if (refused := refused_request(failure)) is None:
        return isinstance(failure, OSError) and failure.errno == errno.EBUSY
    status = refused.status or 0
    return (
        refused.code in _PASSING
        or status in _PASSING_STATES
        or (status >= 500 and status != _NOT_IMPLEMENTED)
    )


def _content(value: bytes | BaseException) -> bytes | None:
    if isinstance(value, FileNotFoundError):
        return None
    if isinstance(value, BaseException):
        raise value
    return value


def _batches(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    # itertools.batched needs Python 3.12.
    iterator = iter(items)
    while batch := tuple(islice(iterator, _TOGETHER)):
        yield batch
