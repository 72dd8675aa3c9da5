"""Deciding what a build has to tokenize."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lexiclass.errors import InvalidParameters
from lexiclass.index.reader import DIGEST_BYTES, DocumentIndex
from lexiclass.io import Document, UnreadableDocument


@dataclass(slots=True)
class IndexPlan:
    """Which row each document of the new index comes from.

    Rows count on from those of the previous index to the documents tokenized now.

    Attributes:
        previous: What can be taken over.
        known: Row of every document in it.
        rows: Row of every document of the new index.
        digests: Digest of each of them.
        failed: Documents that could not be read, and why.
    """

    previous: DocumentIndex | None
    known: dict[int, int]
    rows: dict[int, int] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    @classmethod
    def over(cls, previous: DocumentIndex | None) -> IndexPlan:
        """Start with nothing but the previous index."""
        ids = [] if previous is None else previous.ids.tolist()
        return cls(previous, dict(zip(ids, range(len(ids)), strict=True)))

    def to_tokenize(
        self,
        documents: Iterable[Document | UnreadableDocument],
        tell: Callable[[int, int], None],
    ) -> Iterator[str]:
        """Note every document and yield the texts that are new or changed."""
        next_row = len(self.known)
        for seen, document in enumerate(documents, start=1):
            number = self._check_id(document.id)
            tell(seen, seen)
            if isinstance(document, UnreadableDocument):
                self.failed[number] = document.reason
                continue
            digest = self.digests[number] = _digest_bytes(document)
            old = self.known.get(number)
            if old is not None and self._digest(old) == digest:
                self.rows[number] = old
                self.unchanged += 1
                continue
            self.rows[number] = next_row
            next_row += 1
            self.added += old is None
            self.changed += old is not None
            yield document.text

    def _digest(self, row: int) -> bytes:
        return b"" if self.previous is None else self.previous.digests[row].tobytes()

    def _check_id(self, number: int | str) -> int:
        if not isinstance(number, int):
            raise InvalidParameters(
                f"Document id {number!r} is not an integer; an index needs integer ids.",
                details={"id": number},
            )
        if number in self.rows or number in self.failed:
            raise InvalidParameters(
                f"Document id {number} was given twice; give every document once.",
                details={"id": number},
            )
        return number


def _digest_bytes(document: Document) -> bytes:
    try:
        digest = bytes.fromhex(document.digest)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise InvalidParameters(
            f"Document {document.id} has the digest {document.digest!r}; expected {DIGEST_BYTES} "
            "bytes in hexadecimal, as DocumentLoader gives."
        )
    return digest
