"""Building an index of embeddings, from scratch or from what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.embeddings.compaction import compact, dimension_of
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.shard import EmbeddingShard, EmbeddingShardRecord, write_embeddings
from lexiclass.index.store.building import Build, BuildReport, Unread
from lexiclass.index.store.digests import DIGEST_BYTES, digest_bytes, digest_rows
from lexiclass.index.store.index import table_of
from lexiclass.index.store.manifest import Announce, Publisher, go_ahead, tell_nobody
from lexiclass.index.store.source import DocumentSource
from lexiclass.index.store.table import DocumentTable, write_table
from lexiclass.io import Document, UnreadableDocument
from lexiclass.plugins.base import EmbeddingExtractor
from lexiclass.stages import Progress, Stages

# Texts embedded before they are written down: seconds of work, and megabytes.
_SHARD_DOCUMENTS = 2_048
_SHARD_CHARACTERS = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingReport(BuildReport):
    """What a build did; its stages are ``open``, ``embed`` (with reading) and ``write``."""

    embedded: int
    dimension: int


def build_embeddings(
    directory: Path,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    *,
    feature_extractor: str,
    embedder: EmbeddingExtractor,
    is_incremental: bool = True,
    num_processes: int = 1,
    progress: Progress | None = None,
    before_publication: Callable[[], None] | None = None,
    announce: Announce = tell_nobody,
) -> EmbeddingReport:
    """Bring an index of embeddings up to date with the documents given, which are all there are.

    A content is embedded once, however many documents have it and whatever their ids. What is
    embedded is kept at once: a build that is killed leaves the old documents in place, and the
    next one goes on from where it was. A damaged file costs its own embeddings only. Only one build
    of a directory may run at a time.

    Args:
        directory: Made if it does not exist; see :class:`EmbeddingConfiguration` for its name.
        documents: A source, or documents that are read once, some million characters at a time.
            Ids are integers.
        feature_extractor: Name of the feature extractor.
        embedder: The feature extractor itself, prepared.
        is_incremental: Take over what is embedded already; otherwise embed everything.
        num_processes: Processes that look at the documents; see :mod:`lexiclass.processes`.
        progress: Told of every stage; for ``embed`` the number of documents done so far.
        before_publication: Called before each step that others could notice: replacing the
            manifest, removing old files. What it raises ends the build there, and what was
            embedded until then is kept.
        announce: See :func:`~lexiclass.index.build_index`.

    Raises:
        NoDocuments: If none are given; the index stays as it is.
        InvalidParameters: If two documents have one id, an id is not an integer, or a digest is
            not what it should be.
    """
    configuration = EmbeddingConfiguration.of(feature_extractor, embedder)
    directory.mkdir(parents=True, exist_ok=True)
    publisher = Publisher(directory, before_publication or go_ahead, announce)
    stages = Stages(progress)
    with stages.run("open"):
        previous = _Previous.find(directory, configuration, embedder.versions())
    build = _EmbeddingBuild(
        publisher,
        previous,
        embedder,
        configuration,
        is_incremental=is_incremental,
        num_processes=num_processes,
    )
    build.read(documents, stages, "embed")
    with stages.run("write"):
        table, manifest = build.publish()
    return EmbeddingReport(
        num_documents=len(table),
        embedded=build.num_embedded,
        removed=previous.everything.count_without(build.ids),
        failed=build.failed,
        dimension=manifest.dimension,
        num_shards=len(manifest.shards),
        generation=manifest.generation,
        rebuilt_because=previous.reason,
        stage_seconds=stages.seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Previous:
    """What there is to go on from, documents and shards that are whole, or why nothing is."""

    manifest: EmbeddingManifest | None = None
    everything: DocumentTable = field(default_factory=DocumentTable.empty)
    table: DocumentTable = field(default_factory=DocumentTable.empty)
    shards: Sequence[EmbeddingShard] = ()
    reason: str | None = None

    @classmethod
    def find(
        cls, directory: Path, configuration: EmbeddingConfiguration, versions: Mapping[str, str]
    ) -> _Previous:
        """Read the last generation, and verify every shard."""
        if not any(directory.iterdir()):
            return cls()
        try:
            manifest = EmbeddingManifest.read(directory)
            manifest.check_origin(configuration, versions)
            everything = table_of(directory, manifest)
        except (ModelCorrupt, PluginMismatch) as error:
            return cls(reason=error.message)
        whole = _whole_shards(directory, manifest)
        numbers = np.full(len(manifest.shards), -1, dtype=np.int32)
        numbers[list(whole)] = np.arange(len(whole))
        table = everything.take(numbers[everything.shards] >= 0)
        return cls(
            manifest=manifest,
            everything=everything,
            table=replace(table, shards=numbers[table.shards]),
            shards=list(whole.values()),
        )


def _whole_shards(directory: Path, manifest: EmbeddingManifest) -> dict[int, EmbeddingShard]:
    whole = {}
    for number, record in enumerate(manifest.shards):
        try:
            shard = EmbeddingShard(directory, record, manifest.dimension)
            shard.verify()
        except ModelCorrupt:
            continue  # what it held is embedded again
        whole[number] = shard
    return whole


class _EmbeddingBuild(Build[EmbeddingManifest]):
    """The documents of a build of an index of embeddings."""

    def __init__(
        self,
        publisher: Publisher,
        previous: _Previous,
        embedder: EmbeddingExtractor,
        configuration: EmbeddingConfiguration,
        *,
        is_incremental: bool,
        num_processes: int,
    ) -> None:
        known = previous.table if is_incremental else DocumentTable.empty()
        super().__init__(publisher, known, num_processes)
        self._previous = previous
        self._embedder = embedder
        self._configuration = configuration
        self._shards = list(previous.shards)
        self._is_incremental = is_incremental
        self._waiting: dict[bytes, str] = {}
        self._num_characters = 0
        self.num_embedded = 0

    def _make(self, source: DocumentSource, unread: Unread, tell: Callable[[int], None]) -> None:
        """Embed each content that is new once."""
        is_read = np.ones(len(unread.positions), dtype=np.bool_)
        digests: list[bytes] = []
        for number, document in enumerate(source.read(unread.positions)):
            if isinstance(document, UnreadableDocument):
                self.failed[int(document.id)] = document.reason
                is_read[number] = False
                continue
            digest = digest_bytes(document)
            digests.append(digest)
            if digest not in self._places and digest not in self._waiting:
                self._waiting[digest] = document.text
                self._num_characters += len(document.text)
            if self._is_full():
                self._embed()
                tell(number + 1)
        self._embed()
        if digests:
            shards, rows = np.array([self._places[each] for each in digests], dtype=np.int32).T
            table = DocumentTable(
                ids=source.ids[unread.positions[is_read]],
                digests=digest_rows(b"".join(digests)),
                stamps=unread.stamps[is_read],
                shards=shards,
                rows=rows,
            )
            self._tables.append(table)
        tell(len(unread.positions))
        self._num_processes = 1  # an encoder has threads by now, which don't survive a fork

    def _is_full(self) -> bool:
        return len(self._waiting) >= _SHARD_DOCUMENTS or self._num_characters >= _SHARD_CHARACTERS

    def _embed(self) -> None:
        """Embed what waits, and keep it: the documents in the index stay those of before."""
        if not self._waiting:
            return
        embeddings = self._embedder.transform(list(self._waiting.values()))
        directory, dimension = self._publisher.directory, embeddings.shape[1]
        if self._shards and dimension != dimension_of(self._shards):
            raise ModelCorrupt(
                self._shards[0].record.name,
                f"has embeddings of length {dimension_of(self._shards)}, the encoder here gives "
                f"{dimension}: remove the folder {str(directory)!r}",
            )
        digests = digest_rows(b"".join(self._waiting))
        record = write_embeddings(directory, digests, embeddings)
        self._shards.append(EmbeddingShard(directory, record, dimension))
        self._places.update(_places_in(len(self._shards) - 1, digests))
        records = [shard.record for shard in self._shards]
        self._publisher.publish(self._describe(self._previous.table, records))
        self.num_embedded += len(embeddings)
        self._waiting.clear()
        self._num_characters = 0

    @cached_property
    def _places(self) -> dict[bytes, tuple[int, int]]:
        """Where contents are; not looked at as long as no document has to be read."""
        places: dict[bytes, tuple[int, int]] = {}
        for number, shard in enumerate(self._previous.shards if self._is_incremental else ()):
            places.update(_places_in(number, shard.digests))
        return places

    def _unchanged(self, table: DocumentTable) -> EmbeddingManifest | None:
        before = self._previous
        is_whole = before.manifest and len(before.shards) == len(before.manifest.shards)
        return before.manifest if is_whole and table == before.table else None

    def _generation(self, table: DocumentTable) -> EmbeddingManifest:
        return self._describe(*compact(self._publisher.directory, table, self._shards))

    def _describe(
        self, table: DocumentTable, records: list[EmbeddingShardRecord]
    ) -> EmbeddingManifest:
        """Write a table, and return the manifest that goes with it."""
        directory = self._publisher.directory
        return EmbeddingManifest(
            generation=EmbeddingManifest.next_generation(directory),
            configuration=self._configuration,
            versions=dict(self._embedder.versions()),
            dimension=dimension_of(self._shards),
            documents=write_table(directory, table),
            shards=records,
        )


def _places_in(number: int, digests: NDArray[np.uint8]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    content = digests.tobytes()
    for row, start in enumerate(range(0, len(content), DIGEST_BYTES)):
        yield content[start : start + DIGEST_BYTES], (number, row)
