"""What reading a corpus gives, in tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from lexiclass import LabelledText, Refusal

Record = LabelledText | Refusal


class Read(Protocol):
    """Writes a file of that content, and reads it as a corpus."""

    def __call__(self, content: bytes | str, name: str = ..., **options: Any) -> list[Record]:
        """Read it, with options of :func:`lexiclass.read_corpus`."""
        ...


def labelled_texts(records: Iterable[Record]) -> list[LabelledText]:
    """The texts of a corpus of which nothing is refused."""
    texts = []
    for record in records:
        assert isinstance(record, LabelledText), record
        texts.append(record)
    return texts
