"""The project's index, for those who read it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiclass import (
    DocumentIndex,
    EmbeddingExtractor,
    LexiClassError,
    ModelCorrupt,
    Pipeline,
    default_registry,
)
from lexiclass.index import TokenizedDocuments, read_tokens
from lexiclass.index.embeddings import (
    EmbeddedDocuments,
    EmbeddingConfiguration,
    EmbeddingIndex,
    read_embeddings,
)
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.store.manifest import INDEX_FILE, manifest_digest
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.plugins.base import PluginType
from lexiclass_core import layout
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import AskForDigests, ReportProgress
from lexiclass_worker.ml import index_files, opened_indexes
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index_files import ReadManifest

_log: Final = logging.getLogger(__name__)

_NOT_USED: Final = "the index is not used, is_incremental=false makes it anew: %s"

Index = DocumentIndex | EmbeddingIndex

IndexT = TypeVar("IndexT", DocumentIndex, EmbeddingIndex)


def open_index(
    indexes: ProjectIndexes | None, pipeline: Pipeline, ask: AskForDigests | None = None
) -> Index | None:
    """The index a pipeline can read tokens or embeddings from, if there is one.

    One that is damaged or not the one that was published, was made by other libraries or cannot be
    copied here is left alone: texts are read instead, and the next indexing makes it anew.

    Without ``indexes`` texts are read. ``ask`` knows what was published since they were listed;
    None where nobody does.
    """
    if indexes is None:
        return None
    keep = opened_indexes.keeper.open
    try:
        if pipeline.uses_tokens:
            spec = pipeline.spec
            name = token_index_name(spec.tokenizer, spec.locale, spec.tokenizer_params)
            location = f"{indexes.location}/{name}"
            tokens = open_tokens(
                indexes, name, lambda path: keep(path, DocumentIndex.open, location=location), ask
            )
            return tokens if tokens is not None and tokens.fits(pipeline) else None
        if pipeline.embedder is None:
            return None
        name = pipeline.spec.feature_extractor
        key = EmbeddingConfiguration.of(name, pipeline.embedder).key
        location = f"{indexes.location}/{key}"
        embeddings = open_embeddings(
            indexes, key, lambda path: keep(path, EmbeddingIndex.open, location=location), ask
        )
        fits = embeddings is not None and embeddings.fits(name, pipeline.embedder)
    except (LexiClassError, OSError) as error:
        _log.warning("the index in %s is not used: %s", indexes.location, error)
        return None
    return embeddings if fits else None


def token_index_name(tokenizer: str, locale: str, params: Mapping[str, Any] | None = None) -> str:
    """Name of the index of a tokenizer configuration, whether or not there is one.

    Raises:
        PluginNotFound: If there is no such tokenizer.
        InvalidParameters: If a parameter or the locale is not acceptable.
    """
    given = default_registry().get(PluginType.TOKENIZER, tokenizer).parse(params or {})
    differs = bool(given.model_dump(exclude_defaults=True))
    key = IndexConfiguration.of(tokenizer, locale, params).digest if differs else ""
    return layout.index_directory(0, tokenizer, locale, key).name


def open_tokens(
    indexes: ProjectIndexes,
    name: str,
    opener: Callable[[Path], DocumentIndex] = DocumentIndex.open,
    ask: AskForDigests | None = None,
) -> DocumentIndex | None:
    """Open an index of tokens by its name; None if there is none.

    Raises:
        LexiClassError: If it is damaged, not the one that was published, or of another version.
        OSError: If it cannot be copied here.
    """
    return _open(indexes, name, IndexManifest.read, opener, ask)


def open_embeddings(
    indexes: ProjectIndexes,
    key: str,
    opener: Callable[[Path], EmbeddingIndex] = EmbeddingIndex.open,
    ask: AskForDigests | None = None,
) -> EmbeddingIndex | None:
    """Open an index of embeddings by its key; see :func:`open_tokens`."""
    name = layout.embeddings_directory(0, key).name
    return _open(indexes, name, EmbeddingManifest.read, opener, ask)


def _open(
    indexes: ProjectIndexes,
    name: str,
    read: ReadManifest,
    opener: Callable[[Path], IndexT],
    ask: AskForDigests | None,
) -> IndexT | None:
    refused = None
    while True:
        with index_files.reading(indexes, name, read) as directory:
            if directory is None:
                return None
            found = manifest_digest(directory)
            if indexes.knows(name, found):
                index = opener(directory)
                # A build may have published another meanwhile.
                found = index.manifest.file_digest
                if indexes.knows(name, found):
                    return index
        # What is published is known before it is there: what still is there and not known is none.
        if ask is None or found == refused:
            raise ModelCorrupt(
                f"{name}/{INDEX_FILE}",
                f"its SHA-256 {found} is not that of the index which was published for the "
                "project: it was changed, or is another one. Index the project again",
            )
        refused, indexes = found, _with_digests(indexes, name, ask)


def _with_digests(indexes: ProjectIndexes, name: str, ask: AskForDigests) -> ProjectIndexes:
    others = {other: known for other, known in indexes.digests.items() if other != name}
    known = ask.ask_for_digests(name)
    return replace(indexes, digests=others if known is None else {**others, name: known})


def read_as_tokens(
    pipeline: Pipeline,
    documents: StoredDocuments,
    positions: NDArray[np.int64],
    index: Index | None,
    *,
    num_processes: int = 1,
    report: ReportProgress | None = None,
) -> TokenizedDocuments:
    """Read documents as tokens, from their texts if the index turns out to be damaged."""
    read = partial(
        read_tokens, pipeline, documents, positions, progress=report, begin=documents.note
    )
    if isinstance(index, DocumentIndex):
        try:
            return read(index, num_processes=num_processes)
        except ModelCorrupt as error:
            _log.warning(_NOT_USED, error)
    return read(None)


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
    read = partial(read_embeddings, embedder, documents, positions, progress=progress)
    if isinstance(index, EmbeddingIndex):
        try:
            return read(index, num_processes=num_processes)
        except ModelCorrupt as error:
            _log.warning(_NOT_USED, error)
    return read(None)


def count_origins(documents: TokenizedDocuments | EmbeddedDocuments) -> dict[str, int]:
    """How many documents came from the index, and why the others did not."""
    return {
        "indexed": documents.num_indexed,
        "changed": documents.num_changed,
        "missing": documents.num_missing,
    }
