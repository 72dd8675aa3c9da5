"""Building an index, from scratch or from what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.compatibility import check_versions
from lexiclass.errors import InvalidParameters, ModelCorrupt, NoDocuments, PluginMismatch
from lexiclass.index.changes import Changes
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.encoding import ShardEncoder
from lexiclass.index.generation import go_ahead, write_generation
from lexiclass.index.manifest import INDEX_FILE, Announce, IndexManifest, tell_nobody
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.shard import DIGEST_BYTES, Shard, ShardRecord
from lexiclass.index.source import DocumentSource, text_sources
from lexiclass.index.table import DocumentTable
from lexiclass.io import Document, UnreadableDocument
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.registry import Registry
from lexiclass.stages import Progress, Stages
from lexiclass.writing import NO_ROOM


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a build did.

    Attributes:
        num_documents: Documents in the index now.
        added: How many of them were not in it before.
        changed: How many have other content than before.
        unchanged: How many were taken over without tokenizing them.
        removed: Documents that were in it and are not among those given.
        failed: Documents that could not be read, and why; they are not in the index.
        num_terms: Distinct terms ever seen.
        num_shards: Files the documents are in.
        generation: Counts the builds of this directory that changed it.
        rebuilt_because: Why nothing could be taken over although there was an index; else None.
        stage_seconds: Wall-clock seconds of ``open``, ``tokenize`` (with reading) and ``write``.
    """

    num_documents: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: Mapping[int, str]
    num_terms: int
    num_shards: int
    generation: int
    rebuilt_because: str | None
    stage_seconds: Mapping[str, float]


def build_index(
    directory: Path,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    *,
    tokenizer: str = "icu",
    locale: str = "en",
    params: Mapping[str, Any] | None = None,
    is_incremental: bool = True,
    num_processes: int = 1,
    registry: Registry | None = None,
    model_directory: Path | None = None,
    progress: Progress | None = None,
    before_publication: Callable[[], None] | None = None,
    announce: Announce = tell_nobody,
) -> IndexReport:
    """Bring an index up to date with the documents given, which are all there are.

    A reader sees the old generation until the new one is complete. A build that is killed changes
    nothing; the next one goes on from the shards it has finished, unless there was no room for the
    rest. Only one build of a directory may run at a time.

    Args:
        directory: Made if it does not exist; see :func:`~lexiclass.index.index_key` for its name.
        documents: A source, or documents that are read once, some million characters at a time.
            Ids are integers.
        tokenizer: Name of the tokenizer.
        locale: Language of the documents.
        params: Parameters of the tokenizer.
        is_incremental: Take over documents whose content is the same; otherwise tokenize all.
        num_processes: Processes that read and tokenize; see :mod:`lexiclass.processes`.
        registry: Where the tokenizer is found; the default one if not given.
        model_directory: The only place a pretrained tokenizer may be read from by path; anywhere
            if not given.
        progress: Told of every stage; for ``tokenize`` the number of documents done so far.
        before_publication: Called before each step that others could notice: numbering terms,
            replacing the manifest, removing old files. What it raises ends the build there, and
            the index stays as it is.
        announce: Told the SHA-256 of the manifest before it replaces another; for those who keep
            it elsewhere, to know the index by.

    Raises:
        NoDocuments: If none are given; the index stays as it is.
        InvalidParameters: If two documents have one id, an id is not an integer, or a parameter
            is not acceptable, or the tokenizer learns from the training texts.
        PluginNotFound: If there is no such tokenizer.
        PluginUnavailable: If what it needs is not installed.
        ModelCorrupt: If a disk has lost what compaction reads, and the documents were read once: a
            source is read again.
        OSError: If a file cannot be written.
    """
    registry = default_registry() if registry is None else registry
    configuration = IndexConfiguration.of(tokenizer, locale, params, registry=registry)
    splitter = registry.create(
        Tokenizer,  # type: ignore[type-abstract]  # only compared with
        tokenizer,
        configuration.params,
        PluginContext(locale=configuration.locale, model_directory=model_directory),
    )
    if splitter.learns:
        raise InvalidParameters(
            f"The tokenizer {tokenizer!r} learns from the training texts, so each model has its "
            "own tokens and there is nothing to index. Index with another tokenizer, such as "
            "'icu'; models with this one are trained from the texts.",
            details={"tokenizer": tokenizer},
        )
    directory.mkdir(parents=True, exist_ok=True)
    build = partial(
        _build,
        ShardEncoder(directory=directory, configuration=configuration, tokenizer=splitter),
        documents,
        num_processes=num_processes,
        progress=progress,
        confirm=before_publication or go_ahead,
        announce=announce,
    )
    with _giving_room_back(directory):
        try:
            return build(is_incremental=is_incremental)
        except ModelCorrupt as error:
            if not is_incremental or not isinstance(documents, DocumentSource):
                raise
            return replace(build(is_incremental=False), rebuilt_because=error.message)


@contextmanager
def _giving_room_back(directory: Path) -> Iterator[None]:
    """Build in a directory; without room for all, a build leaves none of its files."""
    before = set(directory.iterdir())
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            with suppress(ModelCorrupt, PluginMismatch):
                before |= {directory / name for name in IndexManifest.read(directory).files}
            for path in set(directory.iterdir()) - before:
                if path.name != INDEX_FILE:
                    path.unlink(missing_ok=True)
        raise


def _build(
    encoder: ShardEncoder,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    *,
    is_incremental: bool,
    num_processes: int,
    progress: Progress | None,
    confirm: Callable[[], None],
    announce: Announce,
) -> IndexReport:
    stages = Stages(progress)
    with stages.run("open"):
        previous, shards, reason = _previous(encoder) if is_incremental else (None, [], None)
        known = _at_hand(encoder, previous, shards) if is_incremental else _NOTHING
    changes = Changes(encoder=encoder, known=known, shards=shards, num_processes=num_processes)
    # A stream's length is known at its end only.
    total = len(documents.ids) if isinstance(documents, DocumentSource) else 0
    with stages.run("tokenize", total) as tell:
        sources = [documents] if isinstance(documents, DocumentSource) else text_sources(documents)
        for source in sources:
            changes.add(source, lambda done: tell(done, len(changes.ids)))
    if not len(changes.ids):
        raise NoDocuments("There are no documents to index; add documents first.")
    table = DocumentTable.joined(changes.tables)
    with stages.run("write"):
        manifest = _publish(encoder, previous, table, changes.shards, confirm, announce)
    before = _NOTHING if previous is None else previous.table
    places = before.places_of(table.ids)
    is_same = (places >= 0) & (_digests_at(before, places) == table.digests).all(axis=1)
    return IndexReport(
        num_documents=len(table),
        added=int(np.count_nonzero(places < 0)),
        changed=int(np.count_nonzero((places >= 0) & ~is_same)),
        unchanged=int(np.count_nonzero(is_same)),
        removed=before.count_without(changes.ids),
        failed=changes.failed,
        num_terms=manifest.num_terms,
        num_shards=len(manifest.shards),
        generation=manifest.generation,
        rebuilt_because=reason,
        stage_seconds=stages.seconds,
    )


_NOTHING = DocumentTable.empty()


def _previous(
    encoder: ShardEncoder,
) -> tuple[DocumentIndex | None, list[ShardRecord], str | None]:
    """Return the index to go on from and its shards, or why there is none of what is there."""
    if not any(encoder.directory.iterdir()):
        return None, [], None
    try:
        index = DocumentIndex.open(encoder.directory)
        shards = [shard.verify_written() for shard in index.shards]
        check_versions("tokenizer", index.manifest.tokenizer_versions, encoder.tokenizer.identity())
    except (ModelCorrupt, PluginMismatch) as error:
        return None, [], error.message
    if index.manifest.configuration != encoder.configuration:
        return None, [], f"The index was made by {index.manifest.configuration.key}."
    return index, shards, None


def _at_hand(
    encoder: ShardEncoder, previous: DocumentIndex | None, shards: list[ShardRecord]
) -> DocumentTable:
    """Return the documents that need not be tokenized again, and add left-over shards."""
    tables = [_NOTHING if previous is None else previous.table]
    named = {record.name for record in shards}
    for record in encoder.left_over():
        if record.name not in named:
            rows = Shard(encoder.directory, record).rows
            tables.append(DocumentTable.of_shard(rows, len(shards)))
            shards.append(record)
    return DocumentTable.joined(tables)


def _publish(
    encoder: ShardEncoder,
    previous: DocumentIndex | None,
    table: DocumentTable,
    shards: Sequence[ShardRecord],
    confirm: Callable[[], None],
    announce: Announce,
) -> IndexManifest:
    directory = encoder.directory
    confirm()
    if previous is not None and table == previous.table:
        manifest = previous.manifest
    else:
        manifest = write_generation(
            directory,
            configuration=encoder.configuration,
            tokenizer_versions=encoder.tokenizer.identity(),
            previous=previous,
            generation=IndexManifest.last_generation(directory) + 1,
            table=table,
            shards=shards,
            before_publication=confirm,
            announce=announce,
        )
    confirm()
    manifest.remove_others(directory)
    return manifest


def _digests_at(table: DocumentTable, places: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.append(table.digests, np.zeros((1, DIGEST_BYTES), np.uint8), axis=0)[places]
