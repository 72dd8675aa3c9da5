"""Documents as tokens: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.store.reading import ReadDocuments, find_documents
from lexiclass.index.store.source import DocumentSource
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.pipeline import Pipeline
from lexiclass.stages import Progress, unheard
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenizedDocuments(ReadDocuments):
    """Documents as tokens."""

    tokens: TokenMatrix


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
    tell = progress or unheard
    found = find_documents(
        source, positions, index, num_processes=num_processes, tell=partial(tell, "read")
    )
    fresh = found.documents["positions"][found.rows < 0]
    texts = _Counted(found.texts, fresh, tell, begin or unheard)
    return TokenizedDocuments(tokens=_tokens(pipeline, index, found.rows, texts), **found.documents)


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
    pipeline: Pipeline, index: DocumentIndex | None, rows: NDArray[np.int64], texts: _Counted
) -> TokenMatrix:
    """Join documents of the index, and in the places without a row those of the texts."""
    is_indexed = rows >= 0
    if index is None or not is_indexed.any():
        return pipeline.tokenize(texts)
    from_index = index.tokens(rows[is_indexed])
    if not texts:
        return from_index
    vocabulary = Vocabulary(from_index.terms)
    from_texts = pipeline.tokenize(texts, vocabulary)
    joined = concatenate((from_index, from_texts), from_texts.terms)
    places = np.concatenate((np.flatnonzero(is_indexed), np.flatnonzero(~is_indexed)))
    return joined.take(np.argsort(places, kind="stable"))
