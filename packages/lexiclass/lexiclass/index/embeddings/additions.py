"""Embedding what is new, and keeping it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import ModelCorrupt
from lexiclass.index.changes import note_ids
from lexiclass.index.embeddings.compaction import compact
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.previous import Previous
from lexiclass.index.embeddings.shard import EmbeddingShard, write_embeddings
from lexiclass.index.encoding import digest_bytes
from lexiclass.index.manifest import Announce
from lexiclass.index.shard import DIGEST_BYTES
from lexiclass.index.source import DocumentSource, survey
from lexiclass.index.table import DocumentTable
from lexiclass.io import UnreadableDocument
from lexiclass.plugins.base import EmbeddingExtractor

# Texts embedded before they are written down: seconds of work, and megabytes.
_SHARD_DOCUMENTS = 2_048
_SHARD_CHARACTERS = 16_000_000


@dataclass(frozen=True, slots=True)
class _Row:
    """A document whose place is known once its content is embedded."""

    id: int
    stamp: int
    digest: bytes


class Additions:
    """The documents of a build so far.

    Args:
        previous: What is there; left in place until :meth:`publish`, with new shards beside it.
        embedder: Computes embeddings.
        is_incremental: Whether what is there is used.
        confirm: Called before each step that others could notice.
        announce: Told the digest of each manifest before it replaces another.

    Attributes:
        ids: Ids of all documents given.
        failed: Documents that could not be read, and why.
        num_embedded: Texts that were embedded.
    """

    def __init__(
        self,
        previous: Previous,
        embedder: EmbeddingExtractor,
        *,
        is_incremental: bool,
        confirm: Callable[[], None],
        announce: Announce,
    ) -> None:
        self._previous = previous
        self._confirm = confirm
        self._announce = announce
        self._embedder = embedder
        self._known = previous.table if is_incremental else DocumentTable.empty()
        self._shards = list(previous.shards)
        self._is_incremental = is_incremental
        self._tables = [DocumentTable.empty()]
        self._rows: list[_Row] = []
        self._waiting: dict[bytes, str] = {}
        self._num_characters = 0
        self.ids = np.empty(0, np.int64)
        self.failed: dict[int, str] = {}
        self.num_embedded = 0

    def add(
        self, source: DocumentSource, tell: Callable[[int], None], *, num_processes: int
    ) -> None:
        """Take over what is unchanged and embed the rest.

        Args:
            source: Documents that were not given before.
            tell: Told how many documents of all are done.
            num_processes: Processes that look at the documents.

        Raises:
            InvalidParameters: If an id is given twice, or a digest is not what it should be.
        """
        done = len(self.ids)
        self.ids = note_ids(self.ids, source.ids)
        positions = np.arange(len(source.ids))
        seen = survey(source, positions, num_processes=num_processes).stamps
        places = self._known.places_of(source.ids)
        stamps = np.append(self._known.stamps, 0)[places]
        same = (places >= 0) & (stamps != 0) & (stamps == seen)
        self._tables.append(replace(self._known.take(places[same]), stamps=seen[same]))
        done += int(np.count_nonzero(same))
        tell(done)
        rest = positions[~same]
        for number, document in enumerate(source.read(rest), start=1):
            if isinstance(document, UnreadableDocument):
                self.failed[int(document.id)] = document.reason
                continue
            position = rest[number - 1]
            row = _Row(int(source.ids[position]), int(seen[position]), digest_bytes(document))
            self._rows.append(row)
            if row.digest not in self._places:
                self._wait(row.digest, document.text)
            if self._is_full():
                self._embed()
                tell(done + number)
        self._embed()
        tell(len(self.ids))

    def publish(self) -> EmbeddingManifest:
        """Make the documents given the current generation, and remove what it does not need.

        Raises:
            ModelCorrupt: If a shard was changed meanwhile.
        """
        previous, directory = self._previous, self._previous.directory
        table = DocumentTable.joined([*self._tables, self._table()])
        self._confirm()
        if previous.is_whole and previous.manifest and table == previous.table:
            manifest = previous.manifest
        else:
            table, records = compact(directory, table, self._shards)
            self._confirm()
            manifest = previous.supersede(table, records, self._dimension, self._announce)
        self._confirm()
        manifest.remove_others(directory)
        return manifest

    def _wait(self, digest: bytes, text: str) -> None:
        self._num_characters += len(text)
        self._waiting[digest] = text

    def _is_full(self) -> bool:
        return len(self._waiting) >= _SHARD_DOCUMENTS or self._num_characters >= _SHARD_CHARACTERS

    def _embed(self) -> None:
        """Embed what waits; the documents in the index stay those of before."""
        if not self._waiting:
            return
        embeddings = self._embedder.transform(list(self._waiting.values()))
        digests = np.frombuffer(b"".join(self._waiting), np.uint8).reshape(-1, DIGEST_BYTES)
        if self._shards and embeddings.shape[1] != self._dimension:
            raise ModelCorrupt(
                self._shards[0].record.name,
                f"has embeddings of length {self._dimension}, the encoder here gives "
                f"{embeddings.shape[1]}: remove the folder {str(self._previous.directory)!r}",
            )
        directory, dimension = self._previous.directory, embeddings.shape[1]
        record = write_embeddings(directory, digests, embeddings)
        self._shards.append(EmbeddingShard(directory, record, dimension))
        self._places.update(_places_in(len(self._shards) - 1, digests))
        records = [shard.record for shard in self._shards]
        self._confirm()
        self._previous.supersede(self._previous.table, records, dimension, self._announce)
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

    def _table(self) -> DocumentTable:
        """Return the documents that were read, where their contents are."""
        if not self._rows:
            return DocumentTable.empty()
        places = np.array([self._places[row.digest] for row in self._rows], dtype=np.int32)
        shards, rows = places.T
        digests = b"".join(row.digest for row in self._rows)
        return DocumentTable(
            ids=np.array([row.id for row in self._rows], dtype=np.int64),
            digests=np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES),
            stamps=np.array([row.stamp for row in self._rows], dtype=np.int64),
            shards=shards,
            rows=rows,
        )

    @property
    def _dimension(self) -> int:
        return self._shards[0].embeddings.shape[1] if self._shards else 0


def _places_in(number: int, digests: NDArray[np.uint8]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    content = digests.tobytes()
    for row, start in enumerate(range(0, len(content), DIGEST_BYTES)):
        yield content[start : start + DIGEST_BYTES], (number, row)
