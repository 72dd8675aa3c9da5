"""Which documents a job is about, in columns: a project may have millions."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

DocumentRef = tuple[int, str | None]
"""A document's id and its content_path, null for the usual place."""


class DocumentRefs:
    """Ids and paths of documents, in order, in a tenth of the memory that tuples take.

    Attributes:
        ids: (n,) ids.
        text: All paths as UTF-8, one after the other.
        ends: (n,) where each path ends in the text; one that is null or empty has no length.
    """

    def __init__(self, documents: Iterable[DocumentRef] = ()) -> None:
        self.ids = array("q")
        self.text = bytearray()
        self.ends = array("q")
        columns = list(zip(*documents, strict=True))
        if columns:
            self.extend(*columns)

    def extend(self, ids: Sequence[int], paths: Sequence[str | None]) -> None:
        """Add documents."""
        encoded = [(path or "").encode() for path in paths]
        self.ends.extend(list(accumulate(map(len, encoded), initial=len(self.text)))[1:])
        self.text += b"".join(encoded)
        self.ids.extend(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[DocumentRef]:
        begin = 0
        for document_id, end in zip(self.ids, self.ends, strict=True):
            yield document_id, self.text[begin:end].decode() or None
            begin = end
