"""Files that are documents: plain text is decoded here, other formats are read by an extractor."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, Self

from lexiclass.code_pages import decodes
from lexiclass.corpora.mailboxes import split_messages
from lexiclass.corpora.records import OTHER_BYTES, REPLACED_BYTES
from lexiclass.corpora.shared_code_page import SharedCodePage
from lexiclass.decoding import UTF_8, decode
from lexiclass.errors import DocumentUnreadable
from lexiclass.extraction import HEAD_BYTES, ExtractionLimits, Extractor, recognise
from lexiclass.extraction.formats import (
    EMAIL,
    GZIP,
    HTML,
    MAILBOX,
    MARKDOWN,
    TEXT_FORMATS,
    ZIP,
    DocumentFormat,
)
from lexiclass.io import DocumentLoader

#: The format of plain text, in the metadata of a document.
PLAIN_TEXT: Final = "text"
_FORCED: Final[Mapping[str, DocumentFormat | None]] = {
    PLAIN_TEXT: None, **{found.key: found for found in (EMAIL, HTML, MARKDOWN)}
}  # fmt: skip
#: What may be said of documents that could be plain text.
FORCED_FORMATS: Final = tuple(_FORCED)

_BINARY: Final = "binary, in no format that is known; convert it to text first"


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A document of a file.

    Attributes:
        text: Its content.
        encoding: What its bytes were decoded with; None where its format takes care of that.
        metadata: Its format, and what it says of itself: title, author, subject, ...
        line: Where it begins in a file of several; None in a file of one.
        remarks: See :class:`~lexiclass.corpora.LabelledText`.
    """

    text: str
    encoding: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file, or one of several documents in it, that can't be read."""

    reason: str
    line: int | None = None


class DocumentReader:
    """Reads files as documents, one at a time. A context manager: its extractor ends with it.

    Args:
        max_bytes: Largest document that is accepted, in bytes.
        code_page: What texts are in that are no Unicode and do not say it; each for itself
            without it.
        document_format: See :func:`~lexiclass.corpora.read_corpus`.
    """

    def __init__(
        self,
        max_bytes: int,
        code_page: SharedCodePage | None = None,
        document_format: str | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._format = document_format
        self._code_page = code_page
        self._loader = DocumentLoader(max_bytes=max_bytes)
        self._extractor = Extractor(ExtractionLimits(text_bytes=max_bytes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._extractor.close()

    def read(self, file: Path) -> Iterator[FileDocument | UnreadableFile]:
        """Read the documents of a file: one, or each message of a mailbox.

        Raises:
            OSError: If reading failed as it may not the next time.
        """
        if file.exists() and not (file.is_file() or file.is_dir()):
            # Of a pipe or a device there may be no end.
            yield UnreadableFile("no file but a pipe or a device")
        elif file.is_file() and file.stat().st_size > self._max_bytes:
            yield from self._read_large(file)
        else:
            try:
                data = self._loader.read(file)
            except DocumentUnreadable as error:
                yield UnreadableFile(error.reason)
                return
            yield from self.read_bytes(file.name, data)

    def _read_large(self, file: Path) -> Iterator[FileDocument | UnreadableFile]:
        """Read a file of which only a mailbox can hold documents that are not too large."""
        try:
            opened = file.open("rb")
        except PermissionError as error:
            yield UnreadableFile(error.strerror or str(error))
            return
        with opened:
            if recognise(file.name, opened.read(HEAD_BYTES)) is not MAILBOX:
                yield UnreadableFile("too large")
                return
            opened.seek(0)
            yield from self.read_mailbox(opened)

    def read_bytes(self, name: str, data: bytes) -> Iterator[FileDocument | UnreadableFile]:
        """Read the documents of a file whose content is at hand."""
        try:
            data, found = self._recognised(name, data)
            if found is not MAILBOX:
                yield self._document(data, found)
                return
        except DocumentUnreadable as error:
            yield UnreadableFile(error.reason)
            return
        messages = self.read_mailbox(io.BytesIO(data))
        # Some programs write the line that begins a message of a mailbox into every message.
        first = next(messages, UnreadableFile(f"{MAILBOX.name}: has no message"))
        second = next(messages, None)
        if second is None and PurePath(name).suffix.lower() not in MAILBOX.endings:
            yield replace(first, line=None)
        else:
            yield from chain([first], () if second is None else [second], messages)

    def read_mailbox(self, file: BinaryIO) -> Iterator[FileDocument | UnreadableFile]:
        """Read the messages of a mailbox, one at a time."""
        for line, message, refusal in split_messages(file, self._max_bytes):
            if refusal:
                yield UnreadableFile(refusal, line)
                continue
            try:
                yield replace(self._document(message, EMAIL), line=line)
            except DocumentUnreadable as error:
                yield UnreadableFile(error.reason, line)

    def _recognised(self, name: str, data: bytes) -> tuple[bytes, DocumentFormat | None]:
        found = recognise(name, data)
        if found is GZIP:
            data = self._gunzip(data)
            found = recognise(PurePath(name).stem, data)
            if found in {GZIP, ZIP}:
                raise DocumentUnreadable("an archive inside another; unpack it first")
        if self._format is not None and (found is None or found in TEXT_FORMATS):
            found = _FORCED[self._format]
        return data, found

    def _document(self, data: bytes, found: DocumentFormat | None) -> FileDocument:
        if found is not None:
            extracted = self._extractor.extract(data, found, code_page=self._shared(data))
            return FileDocument(
                extracted.text,
                None,
                {"format": found.key, **extracted.metadata},
                remarks=(REPLACED_BYTES,) if extracted.has_replaced else (),
            )
        try:
            decoded = decode(data, code_page=self._shared(data))
        except DocumentUnreadable as error:
            raise DocumentUnreadable(
                _BINARY if error.reason == "binary" else error.reason
            ) from error
        return FileDocument(
            decoded.text,
            decoded.encoding,
            {"format": PLAIN_TEXT},
            remarks=(
                *((REPLACED_BYTES,) if decoded.num_replaced else ()),
                *((OTHER_BYTES,) if decoded.num_others else ()),
            ),
        )

    def _shared(self, data: bytes) -> str | None:
        """What documents beside this one are in; None where it is not needed to read this one."""
        if self._code_page is None or decodes(data, UTF_8):
            return None
        return self._code_page.name

    def _gunzip(self, data: bytes) -> bytes:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                unpacked = packed.read(self._max_bytes + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DocumentUnreadable(f"{GZIP.name}: damaged") from error
        if len(unpacked) > self._max_bytes:
            raise DocumentUnreadable(f"{GZIP.name}: too large when unpacked")
        return unpacked
