"""Documents as a pipeline reads them: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.reader import DocumentIndex
from lexiclass.index.source import DocumentSource, survey
from lexiclass.io import Document, UnreadableDocument
from lexiclass.pipeline import Pipeline
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenizedDocuments:
    """Documents as tokens.

    Attributes:
        positions: (n,) in the source; those of documents that could be read, in the order given.
        tokens: The documents.
        digests: Digest of each, in hexadecimal.
        failed: Documents that could not be read, and why.
        num_indexed: How many came from the index.
        num_changed: How many are in the index with other content.
        num_missing: How many are not in it.
    """

    positions: NDArray[np.int64]
    tokens: TokenMatrix
    digests: list[str]
    failed: Mapping[int, str]
    num_indexed: int
    num_changed: int
    num_missing: int


def read_tokens(
    pipeline: Pipeline,
    source: DocumentSource,
    positions: NDArray[np.int64],
    index: DocumentIndex | None,
    *,
    num_processes: int = 1,
) -> TokenizedDocuments:
    """Read documents as tokens; the same whatever the index holds of them.

    A document that has the stamp it was indexed with is not even opened.

    Args:
        pipeline: Whose tokenizer they are for.
        source: Where they are.
        positions: (n,) which of them.
        index: What was tokenized before by the same tokenizer; see :meth:`DocumentIndex.fits`.
        num_processes: Processes that look at the documents.

    Raises:
        InvalidParameters: If the pipeline reads texts, not tokens.
        ModelCorrupt: If the index was damaged.
    """
    rows = np.full(len(positions), -1, dtype=np.int64)
    is_current = np.zeros(len(positions), dtype=np.bool_)
    if index is not None:
        rows = index.rows_of(source.ids[positions])
        places = np.flatnonzero(rows >= 0)
        stamps = survey(source, positions[places], num_processes=num_processes).stamps
        is_current[places] = (stamps != 0) & (stamps == index.table.stamps[rows[places]])
    digests: dict[int, str] = {}
    failed: dict[int, str] = {}
    texts: list[str] = []
    to_read = np.flatnonzero(~is_current)
    documents = source.read(positions[to_read])
    for place, document in zip(to_read.tolist(), documents, strict=True):
        if isinstance(document, UnreadableDocument):
            failed[place] = document.reason
        elif (
            index is not None
            and rows[place] >= 0
            and index.digest_of(rows[place]) == document.digest
        ):
            is_current[place] = True
        else:
            digests[place] = document.digest
            texts.append(document.text)
    indexed, fresh = np.flatnonzero(is_current), np.array(list(digests), dtype=np.int64)
    if index is not None and len(indexed):
        digests |= zip(indexed.tolist(), index.digests_of(rows[indexed]), strict=True)
    kept = np.sort(np.concatenate((indexed, fresh)))
    return TokenizedDocuments(
        positions=positions[kept],
        tokens=_tokens(pipeline, index, rows[indexed], texts, (indexed, fresh)),
        digests=[digests[place] for place in kept.tolist()],
        failed={int(source.ids[positions[place]]): reason for place, reason in failed.items()},
        num_indexed=len(indexed),
        num_changed=int(np.count_nonzero(rows[fresh] >= 0)),
        num_missing=int(np.count_nonzero(rows[fresh] < 0)),
    )


def _is_indexed(index: DocumentIndex, row: int, document: Document) -> bool:
    return row >= 0 and index.digest_of(row) == document.digest


def _tokens(
    pipeline: Pipeline,
    index: DocumentIndex | None,
    rows: NDArray[np.int64],
    texts: list[str],
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
