"""The project's index, for those who read it."""

import logging
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import DocumentIndex, LexiClassError, ModelCorrupt, Pipeline, PipelineSpec
from lexiclass.index import TokenizedDocuments, read_tokens
from lexiclass_core import layout
from lexiclass_worker.ml.documents import StoredDocuments

_log: Final = logging.getLogger(__name__)


def open_index(indexes: Path | None, pipeline: Pipeline) -> DocumentIndex | None:
    """The index a pipeline can read tokens from, if there is one.

    One that is damaged or was made by other libraries is left alone: texts are read instead, and
    the next indexing makes it anew.

    Args:
        indexes: Folder of the project's indexes; None where it is not at hand.
        pipeline: Who wants to read.
    """
    directory = token_index_directory(indexes, pipeline.spec)
    if directory is None or not pipeline.uses_tokens:
        return None
    try:
        index = DocumentIndex.open(directory)
    except LexiClassError as error:
        _log.warning("the index %s is not used: %s", directory, error)
        return None
    return index if index.fits(pipeline) else None


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
    index: DocumentIndex | None,
    *,
    num_processes: int = 1,
) -> TokenizedDocuments:
    """Read documents as tokens, from their texts if the index turns out to be damaged."""
    try:
        return read_tokens(pipeline, documents, positions, index, num_processes=num_processes)
    except ModelCorrupt as error:
        _log.warning("the index is not used: %s", error)
        return read_tokens(pipeline, documents, positions, None)


def count_origins(documents: TokenizedDocuments) -> dict[str, int]:
    """How many documents came from the index, and why the others did not."""
    return {
        "indexed": documents.num_indexed,
        "changed": documents.num_changed,
        "missing": documents.num_missing,
    }
