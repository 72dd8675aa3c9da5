"""What a model says of stored documents."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, Pipeline, Predictions
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import Index, count_origins, read_as_embeddings, read_as_tokens


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Some documents and their predictions.

    Attributes:
        positions: (n,) of the documents that could be read.
        predictions: Of these, in the same order.
        failed: Documents that could not be read, and why.
        origins: See :func:`lexiclass_worker.ml.index.count_origins`.
    """

    positions: NDArray[np.int64]
    predictions: Predictions
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
        failed=embedded.failed,
        origins=Counter(count_origins(embedded)),
    )


def _score_texts(
    pipeline: Pipeline,
    documents: StoredDocuments,
    index: Index | None,
    positions: NDArray[np.int64],
) -> Scored:
    del index  # there is none for whoever reads texts
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
        failed=failed,
        origins=Counter(),
    )
