"""Building an index of tokens, from scratch or from what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np

from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.store.building import Build, BuildReport, Unread
from lexiclass.index.store.manifest import (
    INDEX_FILE,
    Announce,
    Publisher,
    go_ahead,
    tell_nobody,
)
from lexiclass.index.store.source import DocumentSource
from lexiclass.index.store.table import DocumentTable
from lexiclass.index.tokens.encoding import Encoding, ShardEncoder
from lexiclass.index.tokens.generation import write_generation
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.index.tokens.shard import TokenShard, TokenShardRecord
from lexiclass.index.tokens.spreading import ManyNewDocuments, cut_into_shards
from lexiclass.io import Document, UnreadableDocument
from lexiclass.processes import SharedCounts, forked_map
from lexiclass.stages import Progress, Stages
from lexiclass.writing import NO_ROOM


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport(BuildReport):
    """What a build did; its stages are ``open``, ``tokenize`` (with reading) and ``write``."""

    added: int
    changed: int
    unchanged: int
    num_terms: int


def build_index(
    directory: Path,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    *,
    is_incremental: bool = True,
    num_processes: int = 1,
    progress: Progress | None = None,
    before_publication: Callable[[], None] | None = None,
    announce: Announce = tell_nobody,
    build: str | None = None,
    most_new: int | None = None,
    **encoding: Unpack[Encoding],
) -> IndexReport:
    """Bring an index up to date with the documents given, which are all there are.

    A reader sees the old generation until the new one is complete. A build that is killed changes
    nothing; the next one goes on from the shards it has finished, unless there was no room for the
    rest. Only one build of a directory may run at a time.

    Args:
        directory: Made if it does not exist; see :func:`~lexiclass.index.index_key` for its name.
        documents: A source, or documents that are read once, some million characters at a time.
            Ids are integers.
        is_incremental: Take over documents whose content is the same; otherwise tokenize all.
        num_processes: Processes that read and tokenize; see :mod:`lexiclass.processes`.
        progress: Told of every stage; for ``tokenize`` the number of documents done so far.
        before_publication: Called before each step that others could notice: numbering terms,
            replacing the manifest, removing old files. What it raises ends the build there, and
            the index stays as it is.
        announce: Told the SHA-256 of the manifest before it replaces another; for those who keep
            it elsewhere, to know the index by.
        build: Names this build, for which :func:`~lexiclass.index.write_shards` may have made
            shards: these are gone on from even if it is not incremental.
        most_new: Of the documents of a source, how many may be new: more of them are to be spread.
        **encoding: Which tokenizer, and what it needs; see
            :class:`~lexiclass.index.tokens.encoding.Encoding`.

    Raises:
        ManyNewDocuments: If there are more new documents; nothing is changed.
        NoDocuments: If none are given; the index stays as it is.
        InvalidParameters: If two documents have one id, an id is not an integer, or a parameter
            is not acceptable, or the tokenizer learns from the training texts.
        PluginNotFound: If there is no such tokenizer.
        PluginUnavailable: If what it needs is not installed.
        ModelCorrupt: If a disk has lost what compaction reads, and the documents were read once: a
            source is read again.
        OSError: If a file cannot be written.
    """
    encoder = ShardEncoder.of(directory, build=build, **encoding)
    directory.mkdir(parents=True, exist_ok=True)
    make = partial(
        _build,
        encoder,
        documents,
        publisher=Publisher(directory, before_publication or go_ahead, announce),
        num_processes=num_processes,
        most_new=most_new,
        stages=Stages(progress),
    )
    with _giving_room_back(directory):
        try:
            return make(is_incremental=is_incremental)
        except ModelCorrupt as error:
            if not is_incremental or not isinstance(documents, DocumentSource):
                raise
            return replace(make(is_incremental=False), rebuilt_because=error.message)


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
    publisher: Publisher,
    is_incremental: bool,
    num_processes: int,
    most_new: int | None,
    stages: Stages,
) -> IndexReport:
    with stages.run("open"):
        previous = _Previous.find(encoder) if is_incremental else _Previous(None, [], None)
        known = _at_hand(encoder, previous, of_build_only=not is_incremental)
    build = _TokenBuild(publisher, encoder, previous, known, num_processes, most_new)
    build.read(documents, stages, "tokenize")
    with stages.run("write"):
        table, manifest = build.publish()
    before = previous.table
    places = before.places_of(table.ids)
    is_same = (places >= 0) & (before.digests_at(places) == table.digests).all(axis=1)
    return IndexReport(
        num_documents=len(table),
        added=int(np.count_nonzero(places < 0)),
        changed=int(np.count_nonzero((places >= 0) & ~is_same)),
        unchanged=int(np.count_nonzero(is_same)),
        removed=before.count_without(build.ids),
        failed=build.failed,
        num_terms=manifest.num_terms,
        num_shards=len(manifest.shards),
        generation=manifest.generation,
        rebuilt_because=previous.reason,
        stage_seconds=stages.seconds,
    )


@dataclass(frozen=True, slots=True)
class _Previous:
    """What there is to go on from, the last generation and whole shards, or why nothing is."""

    index: DocumentIndex | None
    shards: list[TokenShardRecord]
    reason: str | None

    @classmethod
    def find(cls, encoder: ShardEncoder) -> _Previous:
        """Open the last generation, and look at every shard."""
        if not any(encoder.directory.iterdir()):
            return cls(None, [], None)
        try:
            index = DocumentIndex.open(encoder.directory)
            shards = [shard.verify_written() for shard in index.shards]
            index.manifest.check_origin(encoder.configuration, encoder.tokenizer.identity())
        except (ModelCorrupt, PluginMismatch) as error:
            return cls(None, [], error.message)
        return cls(index, shards, None)

    @property
    def table(self) -> DocumentTable:
        """Its documents."""
        return DocumentTable.empty() if self.index is None else self.index.table


def _at_hand(encoder: ShardEncoder, previous: _Previous, *, of_build_only: bool) -> DocumentTable:
    """Return the documents that need not be tokenized again, and add left-over shards.

    These by their documents: whoever made them, and in which order, the index is the same.
    """
    named = {record.name for record in previous.shards}
    found = [
        (TokenShard(encoder.directory, record).table(0), record)
        for record in encoder.claims.shards(of_build_only=of_build_only)
        if record.name not in named and record.num_documents
    ]
    found.sort(key=lambda each: (int(each[0].ids[0]), each[1].name))
    tables = [previous.table]
    for table, record in found:
        number = np.full(len(table), len(previous.shards), np.int32)
        tables.append(replace(table, shards=number))
        previous.shards.append(record)
    return DocumentTable.joined(tables)


class _TokenBuild(Build[IndexManifest]):
    """The documents of a build of an index of tokens."""

    def __init__(
        self,
        publisher: Publisher,
        encoder: ShardEncoder,
        previous: _Previous,
        known: DocumentTable,
        num_processes: int,
        most_new: int | None,
    ) -> None:
        super().__init__(publisher, known, num_processes)
        self._most_new = most_new
        self._encoder = encoder
        self._previous = previous.index
        self._shards = previous.shards

    def _make(self, source: DocumentSource, unread: Unread, tell: Callable[[int], None]) -> None:
        """Have the texts tokenized, by several processes."""
        self._refuse_many(source, unread)
        chunks = [
            unread.take(rows)
            for rows in cut_into_shards(unread.sizes, num_processes=self._num_processes)
        ]
        counts = SharedCounts(len(chunks), tell)
        results = forked_map(
            lambda number: self._encoder.encode(
                source, chunks[number], partial(counts.set, number)
            ),
            range(len(chunks)),
            num_processes=min(self._num_processes, len(chunks)),
            while_waiting=lambda: tell(counts.total),
        )
        for chunk, encoded in zip(chunks, results, strict=True):
            self._take_over(chunk.places[encoded.unchanged], chunk.stamps[encoded.unchanged])
            self.failed |= encoded.failed
            if encoded.shard is not None:
                shard = TokenShard(self._encoder.directory, encoded.shard)
                self._tables.append(shard.table(len(self._shards)))
                self._shards.append(encoded.shard)
            tell(counts.total)

    def _refuse_many(self, source: DocumentSource, unread: Unread) -> None:
        most, is_new = self._most_new, unread.places < 0
        if most is not None and np.count_nonzero(is_new) > most:
            ids, sizes = source.ids[unread.positions[is_new]], unread.sizes[is_new]
            shards = cut_into_shards(sizes, most_documents=most)
            raise ManyNewDocuments([ids[rows] for rows in shards])

    def _unchanged(self, table: DocumentTable) -> IndexManifest | None:
        index = self._previous
        return index.manifest if index is not None and table == index.table else None

    def _generation(self, table: DocumentTable) -> IndexManifest:
        directory = self._encoder.directory
        return write_generation(
            directory,
            configuration=self._encoder.configuration,
            tokenizer_versions=self._encoder.tokenizer.identity(),
            previous=self._previous,
            generation=IndexManifest.next_generation(directory),
            table=table,
            shards=self._shards,
        )
