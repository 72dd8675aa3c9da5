"""The project's index, for those who read it."""

import logging
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import DocumentIndex, LexiClassError, ModelCorrupt, Pipeline
from lexiclass.index import TokenizedDocuments, read_tokens
from lexiclass_core import layout
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.reporting import Report

_log: Final = logging.getLogger(__name__)


def open_index(indexes: Path | None, pipeline: Pipeline) -> DocumentIndex | None:
    """The index a pipeline can read tokens from, if there is one.

    One that is damaged or was made by other libraries is left alone: texts are read instead, and
    the next indexing makes it anew.

    Args:
        indexes: Folder of the project's indexes; None where it is not at hand.
        pipeline: Who wants to read.
    """
    if indexes is None or not pipeline.uses_tokens:
        return None
    spec = pipeline.spec
    directory = indexes / layout.index_directory(0, spec.tokenizer, spec.locale).name
    if not directory.is_dir():
        return None
    try:
        index = DocumentIndex.open(directory)
    except LexiClassError as error:
        _log.warning("the index %s is not used: %s", directory, error)
        return None
    return index if index.fits(pipeline) else None


def read_as_tokens(
    pipeline: Pipeline,
    documents: StoredDocuments,
    positions: NDArray[np.int64],
    index: DocumentIndex | None,
    *,
    num_processes: int = 1,
    report: Report | None = None,
) -> TokenizedDocuments:
    """Read documents as tokens, from their texts if the index turns out to be damaged."""
    try:
        return read_tokens(
            pipeline, documents, positions, index, num_processes=num_processes, progress=report
        )
    except ModelCorrupt as error:
        _log.warning("the index is not used: %s", error)
        return read_tokens(pipeline, documents, positions, None, progress=report)


def count_origins(documents: TokenizedDocuments) -> dict[str, int]:
    """How many documents came from the index, and why the others did not."""
    return {
        "indexed": documents.num_indexed,
        "changed": documents.num_changed,
        "missing": documents.num_missing,
    }
