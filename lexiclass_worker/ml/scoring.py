"""What a model says of stored documents."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, Pipeline, Predictions
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import Index, count_origins, read_as_embeddings, read_as_tokens

# Probabilities in memory at a time, of 8 bytes each: with thousands of classes a batch is smaller.
_MOST_PROBABILITIES: Final = 2**23

#: Documents that a result names; of more it has the number.
LISTED_DOCUMENTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Some documents and their predictions.

    Attributes:
        positions: (n,) of the documents that could be read.
        predictions: Of these, in the same order.
        empty: (n,) whether the tokenizer finds no token in a document, so that its prediction
            rests on nothing; where the model reads texts itself, whether it is blank. None where
            documents come as embeddings, which do not tell.
        failed: Documents that could not be read, and why.
        origins: See :func:`lexiclass_worker.ml.index.count_origins`.
    """

    positions: NDArray[np.int64]
    predictions: Predictions
    empty: NDArray[np.bool_] | None
    failed: Mapping[int, str]
    origins: Counter[str]


def score(
    pipeline: Pipeline,
    documents: StoredDocuments,
    index: Index | None,
    *,
    batch_size: int,
) -> Iterator[Scored]:
    """Predict documents, a batch at a time, from the index where it holds them."""
    if pipeline.uses_tokens:
        score_batch = _score_tokens
    else:
        score_batch = _score_texts if pipeline.embedder is None else _score_embeddings
    batch_size = max(1, min(batch_size, _MOST_PROBABILITIES // len(pipeline.classes)))
    for start in range(0, len(documents.ids), batch_size):
        positions = np.arange(start, min(start + batch_size, len(documents.ids)))
        yield score_batch(pipeline, documents, index, positions)


def _score_tokens(
    pipeline: Pipeline,
    documents: StoredDocuments,
    index: Index | None,
    positions: NDArray[np.int64],
) -> Scored:
    tokenized = read_as_tokens(pipeline, documents, positions, index)
    return Scored(
        positions=tokenized.positions,
        predictions=pipeline.predict_tokens(tokenized.tokens),
        empty=tokenized.tokens.lengths == 0,
        failed=tokenized.failed,
        origins=Counter(count_origins(tokenized)),
    )


def _score_embeddings(
    pipeline: Pipeline,
    documents: StoredDocuments,
    index: Index | None,
    positions: NDArray[np.int64],
) -> Scored:
    embedded = read_as_embeddings(pipeline.require_embedder(), documents, positions, index)
    return Scored(
        positions=embedded.positions,
        predictions=pipeline.predict_embeddings(embedded.embeddings),
        empty=None,
        failed=embedded.failed,
        origins=Counter(count_origins(embedded)),
    )


def _score_texts(
    pipeline: Pipeline,
    documents: StoredDocuments,
    index: Index | None,
    positions: NDArray[np.int64],
) -> Scored:
    del index
    failed: dict[int, str] = {}
    texts: dict[int, str] = {}
    for position, document in zip(positions.tolist(), documents.read(positions), strict=True):
        if isinstance(document, Document):
            texts[position] = document.text
        else:
            failed[int(document.id)] = document.reason
    return Scored(
        positions=np.array(list(texts), dtype=np.int64),
        predictions=pipeline.predict(texts.values(), batch_size=max(1, len(texts))),
        empty=np.array([not text.strip() for text in texts.values()], dtype=np.bool_),
        failed=failed,
        origins=Counter(),
    )


class EmptyDocuments:
    """Notes which documents have no token, as batches go by."""

    def __init__(self) -> None:
        self._ids: list[int] | None = []

    def note(self, ids: NDArray[np.int64], empty: NDArray[np.bool_] | None) -> None:
        """Take in a batch."""
        if empty is None:
            self._ids = None
        elif self._ids is not None:
            self._ids += ids[empty].tolist()

    def summary(self) -> dict[str, Any]:
        """Their number, None where that can't be told, and the ids of the first."""
        if self._ids is None:
            return {"num_empty": None, "empty_document_ids": []}
        listed = sorted(self._ids)[:LISTED_DOCUMENTS]
        return {"num_empty": len(self._ids), "empty_document_ids": listed}
