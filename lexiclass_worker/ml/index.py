"""The project's index, for those who read it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import (
    DocumentIndex,
    EmbeddingExtractor,
    LexiClassError,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
)
from lexiclass.index import TokenizedDocuments, read_tokens
from lexiclass.index.embeddings import (
    EmbeddedDocuments,
    EmbeddingConfiguration,
    EmbeddingIndex,
    read_embeddings,
)
from lexiclass_core import layout
from lexiclass_worker.ml import opened_indexes
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.reporting import Report

_log: Final = logging.getLogger(__name__)

_NOT_USED: Final = "the index is not used, is_incremental=false makes it anew"

Index = DocumentIndex | EmbeddingIndex


def open_index(indexes: Path | None, pipeline: Pipeline) -> Index | None:
    """The index a pipeline can read tokens or embeddings from, if there is one.

    One that is damaged or was made by other libraries is left alone: texts are read instead, and
    the next indexing makes it anew.

    Args:
        indexes: Folder of the project's indexes; None where it is not at hand.
        pipeline: Who wants to read; its embedder, if it has one, is prepared or loaded.
    """
    directory = _directory(indexes, pipeline)
    if directory is None:
        return None
    try:
        if pipeline.embedder is None:
            tokens = opened_indexes.keeper.open(directory, DocumentIndex.open)
            return tokens if tokens.fits(pipeline) else None
        embeddings = opened_indexes.keeper.open(directory, EmbeddingIndex.open)
        name = pipeline.spec.feature_extractor
        return embeddings if embeddings.fits(name, pipeline.embedder) else None
    except LexiClassError as error:
        _log.warning("the index %s is not used: %s", directory, error)
        return None


def _directory(indexes: Path | None, pipeline: Pipeline) -> Path | None:
    if pipeline.uses_tokens:
        return token_index_directory(indexes, pipeline.spec)
    if indexes is None or pipeline.embedder is None:
        return None
    key = EmbeddingConfiguration.of(pipeline.spec.feature_extractor, pipeline.embedder).key
    directory = indexes / layout.embeddings_directory(0, key).name
    return directory if directory.is_dir() else None


def token_index_directory(indexes: Path | None, spec: PipelineSpec) -> Path | None:
    """The project's index with the tokenizer and locale of a pipeline, if there is one."""
    if indexes is None:
        return None
    directory = indexes / layout.index_directory(0, spec.tokenizer, spec.locale).name
    return directory if directory.is_dir() else None


def read_as_tokens(
    pipeline: Pipeline,
    documents: StoredDocuments,
    positions: NDArray[np.int64],
    index: Index | None,
    *,
    num_processes: int = 1,
    report: Report | None = None,
) -> TokenizedDocuments:
    """Read documents as tokens, from their texts if the index turns out to be damaged."""
    if not isinstance(index, DocumentIndex):
        return read_tokens(pipeline, documents, positions, None, progress=report)
    try:
        return read_tokens(
            pipeline, documents, positions, index, num_processes=num_processes, progress=report
        )
    except ModelCorrupt as error:
        _log.warning("%s: %s", _NOT_USED, error)
        return read_tokens(pipeline, documents, positions, None, progress=report)


def read_as_embeddings(
    embedder: EmbeddingExtractor,
    documents: StoredDocuments,
    positions: NDArray[np.int64],
    index: Index | None,
    *,
    num_processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> EmbeddedDocuments:
    """Read documents as embeddings, from their texts if the index turns out to be damaged."""
    if not isinstance(index, EmbeddingIndex):
        return read_embeddings(embedder, documents, positions, None, progress=progress)
    try:
        return read_embeddings(
            embedder, documents, positions, index, num_processes=num_processes, progress=progress
        )
    except ModelCorrupt as error:
        _log.warning("%s: %s", _NOT_USED, error)
        return read_embeddings(embedder, documents, positions, None, progress=progress)


def count_origins(documents: TokenizedDocuments | EmbeddedDocuments) -> dict[str, int]:
    """How many documents came from the index, and why the others did not."""
    return {
        "indexed": documents.num_indexed,
        "changed": documents.num_changed,
        "missing": documents.num_missing,
    }
