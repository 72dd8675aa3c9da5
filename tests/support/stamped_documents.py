"""Documents in memory that an index can tell from each other without reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, UnreadableDocument
from lexiclass.index import Survey
from lexiclass.manifest import text_digest

#: A document, its new text (None to remove it), and whether the writing gives it a stamp.
Write = tuple[int, str | None, bool]


class Files:
    """Documents in memory that behave as files: a stamp changes with every writing."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.stamps: dict[int, int] = {}
        self.read_ids: list[int] = []
        self._writings = count(1)

    def write(self, number: int, text: str, *, has_stamp: bool = True) -> None:
        self.texts[number] = text
        self.stamps[number] = next(self._writings) if has_stamp else 0

    def remove(self, number: int) -> None:
        self.texts.pop(number, None)
        self.stamps.pop(number, None)

    def apply(self, writes: Iterable[Write]) -> None:
        for number, text, has_stamp in writes:
            if text is None:
                self.remove(number)
            else:
                self.write(number, text, has_stamp=has_stamp)

    @property
    def ids(self) -> NDArray[np.int64]:
        return np.array(list(self.texts), dtype=np.int64)

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        stamps = [self.stamps[int(self.ids[position])] for position in positions]
        return Survey(np.array(stamps, dtype=np.int64), np.ones(len(positions), np.int64))

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        for number in self.ids[positions].tolist():
            self.read_ids.append(number)
            text = self.texts[number]
            if text == "unreadable":
                yield UnreadableDocument(number, "binary")
            else:
                yield Document(number, text, text_digest(text), "utf-8")
