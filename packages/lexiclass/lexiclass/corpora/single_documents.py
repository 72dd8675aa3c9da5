"""A file that is itself a document, or a mailbox of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lexiclass.corpora.documents import DocumentReader, FileDocument, UnreadableFile
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile, SourceRecord, Wanted
from lexiclass.extraction import HEAD_BYTES, recognise
from lexiclass.extraction.formats import MAILBOX


def read_document(file: SourceFile, wanted: Wanted) -> Iterator[SourceRecord | Refusal]:
    """Read a document, or each message of a mailbox; they have no labels."""
    with file.open() as opened:
        found = recognise(file.name, opened.read(HEAD_BYTES))
    columns = wanted.columns
    with (
        DocumentReader(wanted.max_bytes, None, wanted.document_format) as reader,
        file.open() as opened,
    ):
        for document in _documents(file, opened, reader, wanted, is_mailbox=found is MAILBOX):
            where = file.name if document.line is None else f"{file.name}:{document.line}"
            if isinstance(document, UnreadableFile):
                yield Refusal(where, document.reason)
            else:
                values = {columns.text: document.text, columns.id or "id": where}
                yield SourceRecord(
                    where, values, document.encoding, document.remarks, document.metadata
                )


def _documents(
    file: SourceFile,
    opened: BinaryIO,
    reader: DocumentReader,
    wanted: Wanted,
    *,
    is_mailbox: bool,
) -> Iterator[FileDocument | UnreadableFile]:
    if is_mailbox:
        yield from reader.read_mailbox(opened)
        return
    data = opened.read(wanted.max_bytes + 1)
    if len(data) > wanted.max_bytes:
        yield UnreadableFile("too large")
    else:
        yield from reader.read_bytes(file.name, data)
