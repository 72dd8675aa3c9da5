"""Documents as a pipeline reads them: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.encoding import digest_bytes, hexadecimal
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.shard import DIGEST_BYTES
from lexiclass.index.source import DocumentSource, survey
from lexiclass.io import UnreadableDocument
from lexiclass.pipeline import Pipeline
from lexiclass.stages import Progress
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenizedDocuments:
    """Documents as tokens.

    Attributes:
        positions: (n,) in the source; those of documents that could be read, in the order given.
        tokens: The documents.
        raw_digests: (n, 16) digest of each.
        failed: Documents that could not be read, and why.
        num_indexed: How many came from the index.
        num_changed: How many are in the index with other content.
        num_missing: How many are not in it.
    """

    positions: NDArray[np.int64]
    tokens: TokenMatrix
    raw_digests: NDArray[np.uint8]
    failed: Mapping[int, str]
    num_indexed: int
    num_changed: int
    num_missing: int

    @property
    def digests(self) -> list[str]:
        """Digest of each, in hexadecimal."""
        return hexadecimal(self.raw_digests)


def read_tokens(
    pipeline: Pipeline,
    source: DocumentSource,
    positions: NDArray[np.int64],
    index: DocumentIndex | None,
    *,
    num_processes: int = 1,
    progress: Progress | None = None,
    begin: Callable[[int], None] | None = None,
) -> TokenizedDocuments:
    """Read documents as tokens; the same whatever the index holds of them.

    A document that has the stamp it was indexed with is not even opened.

    Args:
        pipeline: Whose tokenizer they are for.
        source: Where they are.
        positions: (n,) which of them.
        index: What was tokenized before by the same tokenizer; see :meth:`DocumentIndex.fits`.
        num_processes: Processes that look at the documents.
        progress: Told how many documents were looked at, in the stage ``read``, and how many of
            those the index does not hold were tokenized, in the stage ``tokenize``.
        begin: Told the position of each document that the tokenizer is given, before it is.

    Raises:
        InvalidParameters: If the pipeline reads texts, not tokens, or a digest is not what it
            should be.
        ModelCorrupt: If the index was damaged.
    """
    tell = progress or _tell_nobody
    tell("read", 0, len(positions))
    rows = np.full(len(positions), -1, dtype=np.int64)
    is_current = np.zeros(len(positions), dtype=np.bool_)
    if index is not None:
        rows = index.rows_of(source.ids[positions])
        places = np.flatnonzero(rows >= 0)
        stamps = survey(source, positions[places], num_processes=num_processes).stamps
        is_current[places] = (stamps != 0) & (stamps == index.table.stamps[rows[places]])
    digests = np.empty((len(positions), DIGEST_BYTES), dtype=np.uint8)
    fresh_places: list[int] = []
    failed: dict[int, str] = {}
    texts: list[str] = []
    to_read = np.flatnonzero(~is_current)
    documents = source.read(positions[to_read])
    num_current = len(positions) - len(to_read)
    for read, (place, document) in enumerate(zip(to_read.tolist(), documents, strict=True)):
        tell("read", num_current + read, len(positions))
        if isinstance(document, UnreadableDocument):
            failed[place] = document.reason
            continue
        digest = digest_bytes(document)
        digests[place] = np.frombuffer(digest, np.uint8)
        if (
            index is not None
            and rows[place] >= 0
            and index.digests[rows[place]].tobytes() == digest
        ):
            is_current[place] = True
        else:
            fresh_places.append(place)
            texts.append(document.text)
    tell("read", len(positions), len(positions))
    indexed, fresh = np.flatnonzero(is_current), np.array(fresh_places, dtype=np.int64)
    if index is not None:
        digests[indexed] = index.digests[rows[indexed]]
    kept = np.sort(np.concatenate((indexed, fresh)))
    return TokenizedDocuments(
        positions=positions[kept],
        tokens=_tokens(
            pipeline,
            index,
            rows[indexed],
            _Counted(texts, positions[fresh], tell, begin or _begin_nothing),
            (indexed, fresh),
        ),
        raw_digests=digests[kept],
        failed={int(source.ids[positions[place]]): reason for place, reason in failed.items()},
        num_indexed=len(indexed),
        num_changed=int(np.count_nonzero(rows[fresh] >= 0)),
        num_missing=int(np.count_nonzero(rows[fresh] < 0)),
    )


def _tell_nobody(stage: str, done: int, total: int) -> None:
    """Stand in where nobody asks for progress."""


def _begin_nothing(position: int) -> None:
    """Stand in where nobody asks which document is tokenized."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """Texts that are told of as they are tokenized."""

    texts: Sequence[str]
    positions: NDArray[np.int64]
    tell: Progress
    begin: Callable[[int], None]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[str]:
        for done, (position, text) in enumerate(
            zip(self.positions.tolist(), self.texts, strict=True)
        ):
            self.tell("tokenize", done, len(self.texts))
            self.begin(position)
            yield text
        self.tell("tokenize", len(self.texts), len(self.texts))


def _tokens(
    pipeline: Pipeline,
    index: DocumentIndex | None,
    rows: NDArray[np.int64],
    texts: _Counted,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> TokenMatrix:
    """Join documents of the index and texts, in the order of their places."""
    if index is None or not len(rows):
        return pipeline.tokenize(texts)
    from_index = index.tokens(rows)
    if not texts:
        return from_index
    vocabulary = Vocabulary(from_index.terms)
    from_texts = pipeline.tokenize(texts, vocabulary)
    joined = concatenate((from_index, from_texts), from_texts.terms)
    return joined.take(np.argsort(np.concatenate(places), kind="stable"))
