"""Reading documents in whatever encoding they come."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from lexiclass.decoding import decode
from lexiclass.errors import DocumentUnreadable

#: Largest document read unless said otherwise, in bytes.
DEFAULT_MAX_BYTES = 64 * 1024 * 1024

# What is wrong with a path itself. Anything else, such as an error of the disk or too many open
# files, says nothing of the document.
_LASTING = {
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENODEV,
    errno.ENOTDIR,
    errno.ENXIO,
}

DocumentId = int | str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as text.

    Attributes:
        id: The caller's name for it.
        text: Its content.
        digest: 128-bit BLAKE2b of the bytes it was read from, in hexadecimal.
        encoding: What the bytes were decoded with.
        num_replaced: Bytes that are no text in that encoding, each now U+FFFD.
    """

    id: DocumentId
    text: str
    digest: str
    encoding: str
    num_replaced: int = 0


@dataclass(frozen=True, slots=True)
class UnreadableDocument:
    """A document that could not be read."""

    id: DocumentId
    reason: str


def read_local_file(path: str) -> bytes:
    """Return the content of a file."""
    return Path(path).read_bytes()


class DocumentLoader:
    """Reads and decodes documents, one at a time.

    Args:
        read: Returns the bytes at a path; raises :class:`OSError` where there are none. Replace it
            to read from an object store.
        max_bytes: Larger documents are refused, in bytes.
    """

    def __init__(
        self,
        *,
        read: Callable[[str], bytes] = read_local_file,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._read = read
        self._max_bytes = max_bytes

    def load(self, document_id: DocumentId, path: str | PathLike[str]) -> Document:
        """Read one document.

        Raises:
            DocumentUnreadable: If it is missing, too large, binary or in no known encoding, no
                file, or may not be read.
            OSError: If reading failed as it may not the next time.
        """
        data = self.read(path)
        decoded = decode(data, path=fspath(path))
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        return Document(document_id, decoded.text, digest, decoded.encoding, decoded.num_replaced)

    def read(self, path: str | PathLike[str]) -> bytes:
        """Return the bytes of one document.

        Raises:
            DocumentUnreadable: If it is missing, too large, no file, or may not be read.
            OSError: If reading failed as it may not the next time.
        """
        name = fspath(path)
        try:
            data = self._read(name)
        except FileNotFoundError as error:
            raise DocumentUnreadable("missing", path=name) from error
        except OSError as error:
            if error.errno not in _LASTING and not isinstance(error, PermissionError):
                raise
            raise DocumentUnreadable(error.strerror or str(error), path=name) from error
        if len(data) > self._max_bytes:
            raise DocumentUnreadable("too large", path=name)
        return data

    def stream(
        self, items: Iterable[tuple[DocumentId, str | PathLike[str]]]
    ) -> Iterator[Document | UnreadableDocument]:
        """Read documents one after the other; one that can't be read does not end the stream.

        Raises:
            OSError: If reading failed as it may not the next time.
        """
        for document_id, path in items:
            try:
                yield self.load(document_id, path)
            except DocumentUnreadable as error:
                yield UnreadableDocument(document_id, error.reason)
