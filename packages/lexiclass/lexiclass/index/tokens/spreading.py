"""A build whose shards are made by several processes or machines that know nothing of each other.

Each makes some shards, numbers their terms by itself and claims them for the build, which goes on
from them as from those of an interrupted one: it numbers the terms of the index and writes the
manifest. Which documents are a shard follows from the documents alone, so the index is the same
whoever makes which of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.store.building import Unread
from lexiclass.index.store.digests import DIGEST_BYTES
from lexiclass.index.store.source import DocumentSource, survey
from lexiclass.index.tokens.encoding import Encoding, ShardEncoder
from lexiclass.index.tokens.shard import TokenShardRecord
from lexiclass.processes import SharedCounts, forked_map
from lexiclass.stages import Progress, Stages

# A shard is large enough that starting a vocabulary anew costs some percent, and small enough
# that some of them fit into memory at a time.
_SHARD_BYTES = 32_000_000
_SMALLEST_SHARD_BYTES = 1_000_000
_SHARD_DOCUMENTS = 65_536


class ManyNewDocuments(Exception):
    """A build has more new documents than it may read by itself: the ids of each shard of them."""

    def __init__(self, shards: Sequence[NDArray[np.int64]]) -> None:
        super().__init__(f"{sum(map(len, shards))} documents are new")
        self.shards = shards


class NewShard(NamedTuple):
    """A shard that is to be made.

    Attributes:
        name: As :class:`~lexiclass.index.tokens.shard.TokenShardRecord` has it.
        positions: (n,) its documents in their source.
    """

    name: str
    positions: NDArray[np.int64]


class MadeShards(NamedTuple):
    """Shards that were made for a build.

    Attributes:
        shards: Those of which a document could be read.
        num_unreadable: Documents that could not be.
    """

    shards: list[TokenShardRecord]
    num_unreadable: int


def cut_into_shards(
    sizes: NDArray[np.int64], *, num_processes: int = 1, most_documents: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Cut documents into runs of a shard each, as many for each process.

    Args:
        sizes: (n,) bytes of each.
        num_processes: Processes to share the work.
        most_documents: In one shard, if there are to be fewer than usual.
    """
    most = _SHARD_DOCUMENTS if most_documents is None else min(most_documents, _SHARD_DOCUMENTS)
    total = int(sizes.sum())
    rounds = max(1, -(-total // (_SHARD_BYTES * num_processes)))
    size = max(-(-total // (rounds * num_processes)), _SMALLEST_SHARD_BYTES)
    number = (np.cumsum(sizes) - sizes) // size
    cuts = np.flatnonzero(np.diff(number)) + 1
    for run in np.split(np.arange(len(sizes)), cuts):
        for start in range(0, len(run), most):
            yield run[start : start + most]


def write_shards(
    directory: Path,
    source: DocumentSource,
    shards: Sequence[NewShard],
    *,
    build: str,
    num_processes: int = 1,
    progress: Progress | None = None,
    **encoding: Unpack[Encoding],
) -> MadeShards:
    """Make some of the shards of a build, anywhere.

    Each is a file with a claim beside it, under ``NAME.safetensors`` and ``NAME.json``. Once both
    lie in the directory of the index, a build of this name goes on from them.

    Args:
        directory: Where they are written; it is there.
        source: Where the documents are read.
        shards: Which of them are in which shard.
        build: The name of the build; see :func:`~lexiclass.index.build_index`.
        num_processes: Processes that read and tokenize.
        progress: Told of the stage ``tokenize``.
        **encoding: As the build has it.

    Raises:
        InvalidParameters: See :func:`~lexiclass.index.build_index`.
        PluginNotFound: See there.
        PluginUnavailable: See there.
        OSError: If a file cannot be written.
    """
    encoder = ShardEncoder.of(directory, build=build, **encoding)
    chunks = _surveyed(source, shards, num_processes)
    total = sum(len(chunk.positions) for chunk in chunks)
    with Stages(progress).run("tokenize", total) as report:
        counts = SharedCounts(len(shards), lambda done: report(done, total))
        made = list(
            forked_map(
                lambda number: encoder.encode(
                    source, chunks[number], partial(counts.set, number), shards[number].name
                ),
                range(len(shards)),
                num_processes=min(num_processes, len(shards)),
                while_waiting=lambda: report(counts.total, total),
            )
        )
    return MadeShards(
        [encoded.shard for encoded in made if encoded.shard is not None],
        sum(len(encoded.failed) for encoded in made),
    )


def _surveyed(
    source: DocumentSource, shards: Sequence[NewShard], num_processes: int
) -> list[Unread]:
    """Look at the documents of all shards, of which none is known."""
    positions = np.concatenate([np.empty(0, np.int64), *(shard.positions for shard in shards)])
    seen = survey(source, positions, num_processes=num_processes)
    unknown = np.full(len(positions), -1, np.int64)
    digests = np.zeros((len(positions), DIGEST_BYTES), np.uint8)
    all_of_them = Unread(positions, *seen, unknown, digests)
    ends = np.cumsum([len(shard.positions) for shard in shards])
    return [
        all_of_them.take(np.arange(end - len(shard.positions), end))
        for end, shard in zip(ends, shards, strict=True)
    ]
