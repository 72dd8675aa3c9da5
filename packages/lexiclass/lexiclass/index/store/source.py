"""Where a build reads documents from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.io import Document, UnreadableDocument
from lexiclass.processes import forked_map

# Texts of a stream that are held at a time: enough for several processes to be busy with.
_STREAM_CHARACTERS = 64_000_000
_STREAM_DOCUMENTS = 65_536

# Documents looked at by one process at a time: some hundredths of a second.
_SURVEY_DOCUMENTS = 4_096

# Looking for less than this takes no longer than starting processes that share it.
_WORTH_PROCESSES_S = 0.1

_INT64 = range(-(2**63), 2**63)


class Survey(NamedTuple):
    """What can be told of documents without reading them.

    Attributes:
        stamps: (n,) a number that differs once the content does, or 0 where there is none. A
            document whose stamp is the one it was indexed with is not read again.
        sizes: (n,) bytes, as far as is known.
    """

    stamps: NDArray[np.int64]
    sizes: NDArray[np.int64]


@runtime_checkable
class DocumentSource(Protocol):
    """Documents that are read where and when they are needed, by any of several processes."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,) their ids."""
        ...

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """Look at documents from outside."""
        ...

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """Read documents, in order."""
        ...


class TextSource:
    """Documents that were read already.

    Attributes:
        ids: See :class:`DocumentSource`.

    Raises:
        InvalidParameters: If an id is not an integer.
    """

    def __init__(self, documents: Sequence[Document | UnreadableDocument]) -> None:
        self._documents = documents
        self.ids = np.array([_integer(document.id) for document in documents], dtype=np.int64)

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """Tell the sizes; the content itself is at hand."""
        sizes = [
            len(document.text) if isinstance(document, Document) else 0
            for document in map(self._documents.__getitem__, positions.tolist())
        ]
        return Survey(np.zeros(len(positions), np.int64), np.array(sizes, dtype=np.int64))

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """Return the documents."""
        return map(self._documents.__getitem__, positions.tolist())


def survey(source: DocumentSource, positions: NDArray[np.int64], *, num_processes: int) -> Survey:
    """Look at documents of a source, many of them by several processes.

    The first are looked at here: what a source finds out of all of them then, such as a listing,
    the other processes have as well, and it says how long the others will take.
    """
    began = time.perf_counter()
    parts = [source.survey(positions[:_SURVEY_DOCUMENTS])] if len(positions) else []
    took_s = time.perf_counter() - began
    starts = range(_SURVEY_DOCUMENTS, len(positions), _SURVEY_DOCUMENTS)
    is_long = took_s * len(starts) > _WORTH_PROCESSES_S
    parts.extend(
        forked_map(
            lambda start: source.survey(positions[start : start + _SURVEY_DOCUMENTS]),
            starts,
            num_processes=min(num_processes, len(starts)) if is_long else 1,
        )
    )
    none = np.empty(0, np.int64)
    return Survey(
        np.concatenate((none, *(part.stamps for part in parts))),
        np.concatenate((none, *(part.sizes for part in parts))),
    )


def text_sources(documents: Iterable[Document | UnreadableDocument]) -> Iterator[TextSource]:
    """Cut a stream of documents into sources of bounded size.

    Raises:
        InvalidParameters: If an id is not an integer.
    """
    stream = iter(documents)
    while block := list(_block(stream)):
        yield TextSource(block)


def _block(
    stream: Iterator[Document | UnreadableDocument],
) -> Iterator[Document | UnreadableDocument]:
    characters = 0
    for document in islice(stream, _STREAM_DOCUMENTS):
        yield document
        characters += len(document.text) if isinstance(document, Document) else 0
        if characters >= _STREAM_CHARACTERS:
            return


def _integer(number: int | str) -> int:
    if not isinstance(number, int) or number not in _INT64:
        raise InvalidParameters(
            f"Document id {number!r} is not an integer; an index needs integer ids.",
            details={"id": number},
        )
    return number
