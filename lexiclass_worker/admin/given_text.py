"""A text that is given on the command line, in a file of whatever format, or by a pipe."""

import sys
from pathlib import Path
from typing import Final

from lexiclass.corpora.documents import DocumentReader, FileDocument
from lexiclass_worker.errors import InvalidRequest

STDIN: Final = Path("-")


def read_text(file: Path, *, max_bytes: int) -> str:
    """The text of a file as an import reads it: plain text, e-mail, PDF and so on; - is stdin.

    Raises:
        InvalidRequest: If it cannot be read, or holds several documents.
        OSError: If reading failed as it may not the next time.
    """
    with DocumentReader(max_bytes) as reader:
        if file == STDIN:
            name = "the standard input"
            found = list(reader.read_bytes("stdin", sys.stdin.buffer.read(max_bytes + 1)))
        else:
            name = str(file)
            found = list(reader.read(file))
    if len(found) != 1:
        raise InvalidRequest(f"{name} holds {len(found)} documents: expected one")
    document = found[0]
    if not isinstance(document, FileDocument):
        raise InvalidRequest(f"{name} cannot be read: {document.reason}")
    return document.text
