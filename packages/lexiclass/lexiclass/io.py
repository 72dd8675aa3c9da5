"""Reading documents in whatever encoding they come."""

from __future__ import annotations

import codecs
import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from charset_normalizer import from_bytes

from lexiclass.errors import DocumentUnreadable

# Longest first: the UTF-32 mark begins with the UTF-16 one.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

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
    """

    id: DocumentId
    text: str
    digest: str
    encoding: str


@dataclass(frozen=True, slots=True)
class UnreadableDocument:
    """A document that could not be read.

    Attributes:
        id: The caller's name for it.
        reason: Why; see :class:`~lexiclass.errors.DocumentUnreadable`.
    """

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
        text, encoding = decode(data, path=fspath(path))
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        return Document(document_id, text, digest, encoding)

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

        Args:
            items: Name and path of each document.

        Raises:
            OSError: If reading failed as it may not the next time.
        """
        for document_id, path in items:
            try:
                yield self.load(document_id, path)
            except DocumentUnreadable as error:
                yield UnreadableDocument(document_id, error.reason)


def decode(data: bytes, *, path: str | None = None) -> tuple[str, str]:
    """Decode bytes: by byte order mark, else as UTF-8, else by the best guess.

    Args:
        data: The bytes.
        path: Where they came from, for the error.

    Returns:
        The text and the name of the encoding.

    Raises:
        DocumentUnreadable: If they are not text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), encoding
            except UnicodeDecodeError as error:
                raise DocumentUnreadable("unknown encoding", path=path) from error
    if b"\0" in data:  # in no text, once UTF-16 and UTF-32 without a mark are left aside
        raise DocumentUnreadable("binary", path=path)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        guess = from_bytes(data).best()
    if guess is None:
        raise DocumentUnreadable("unknown encoding", path=path)
    return str(guess), guess.encoding
