"""Finding what a build has to read and to tokenize, and having it done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.index.encoding import Chunk, Encoded, ShardEncoder
from lexiclass.index.shard import DIGEST_BYTES, Shard, ShardRecord
from lexiclass.index.source import DocumentSource, survey
from lexiclass.index.table import DocumentTable
from lexiclass.processes import SharedCounts, forked_map

# A shard is large enough that starting a vocabulary anew costs some percent, and small enough
# that some of them fit into memory at a time.
_SHARD_BYTES = 32_000_000
_SMALLEST_SHARD_BYTES = 1_000_000
_SHARD_DOCUMENTS = 65_536


@dataclass(slots=True, kw_only=True)
class Changes:
    """What is known of the documents of a build so far.

    Attributes:
        encoder: Makes the shards.
        known: The documents that can be taken over.
        shards: The shards there are; new ones are added.
        num_processes: Processes to share the work.
        tables: The documents of the new index.
        ids: Ids of all documents given.
        failed: Documents that could not be read, and why.
    """

    encoder: ShardEncoder
    known: DocumentTable
    shards: list[ShardRecord]
    num_processes: int
    tables: list[DocumentTable] = field(default_factory=lambda: [DocumentTable.empty()])
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, source: DocumentSource, tell: Callable[[int], None]) -> None:
        """Take over what is unchanged and have the rest tokenized.

        Args:
            source: Documents that were not given before.
            tell: Told how many documents of all are done.

        Raises:
            InvalidParameters: If an id is given twice, or a digest is not what it should be.
        """
        done = len(self.ids)
        self.ids = note_ids(self.ids, source.ids)
        positions = np.arange(len(source.ids))
        seen = survey(source, positions, num_processes=self.num_processes)
        places = self.known.places_of(source.ids)
        stamps = np.append(self.known.stamps, 0)[places]
        same = (places >= 0) & (stamps != 0) & (stamps == seen.stamps)
        self._take_over(places[same], seen.stamps[same])
        done += int(np.count_nonzero(same))
        tell(done)

        digests = np.append(self.known.digests, np.zeros((1, DIGEST_BYTES), np.uint8), axis=0)
        chunks = [
            Chunk(
                positions=chosen,
                stamps=seen.stamps[chosen],
                digests=digests[places[chosen]],
                is_known=places[chosen] >= 0,
            )
            for chosen in self._chunks(positions[~same], seen.sizes[~same])
        ]
        counts = SharedCounts(len(chunks), lambda encoded: tell(done + encoded))
        results = forked_map(
            lambda place: self.encoder.encode(source, chunks[place], partial(counts.set, place)),
            range(len(chunks)),
            num_processes=min(self.num_processes, len(chunks)),
            while_waiting=lambda: tell(done + counts.total),
        )
        for chunk, encoded in zip(chunks, results, strict=True):
            self._take_in(places, chunk, encoded)
            tell(done + counts.total)

    def _chunks(
        self, positions: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> Iterator[NDArray[np.int64]]:
        """Cut documents into runs of a shard each, as many for each process."""
        total = int(sizes.sum())
        rounds = max(1, -(-total // (_SHARD_BYTES * self.num_processes)))
        size = max(-(-total // (rounds * self.num_processes)), _SMALLEST_SHARD_BYTES)
        number = (np.cumsum(sizes) - sizes) // size
        cuts = np.flatnonzero(np.diff(number)) + 1
        for run in np.split(positions, cuts):
            for start in range(0, len(run), _SHARD_DOCUMENTS):
                yield run[start : start + _SHARD_DOCUMENTS]

    def _take_over(self, places: NDArray[np.int64], stamps: NDArray[np.int64]) -> None:
        self.tables.append(replace(self.known.take(places), stamps=stamps))

    def _take_in(self, places: NDArray[np.int64], chunk: Chunk, encoded: Encoded) -> None:
        self._take_over(places[chunk.positions[encoded.unchanged]], chunk.stamps[encoded.unchanged])
        self.failed |= encoded.failed
        if encoded.shard is not None:
            shard = Shard(self.encoder.directory, encoded.shard)
            self.tables.append(DocumentTable.of_shard(shard.rows, len(self.shards)))
            self.shards.append(encoded.shard)


def note_ids(known: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ids given so far and more of them.

    Raises:
        InvalidParameters: If an id is given twice.
    """
    joined = np.concatenate((known, ids))
    if (np.diff(joined) > 0).all():
        return joined  # as databases give them, and much faster than a set
    values, counts = np.unique(joined, return_counts=True)
    if len(values) < len(joined):
        twice = int(values[counts > 1][0])
        raise InvalidParameters(
            f"Document id {twice} was given twice; give every document once.",
            details={"id": twice},
        )
    return joined
