"""Documents as a model reads them: from the index what it holds, the rest from their texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.store.digests import DIGEST_BYTES, digest_bytes, hexadecimal
from lexiclass.index.store.index import StoredIndex
from lexiclass.index.store.source import DocumentSource, survey
from lexiclass.io import UnreadableDocument


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadDocuments:
    """Documents that were read.

    Attributes:
        positions: (n,) in the source; those of documents that could be read, in the order given.
        raw_digests: (n, 16) digest of each.
        failed: Documents that could not be read, and why.
        num_indexed: How many came from the index.
        num_changed: How many are in the index with other content.
        num_missing: How many are not in it.
    """

    positions: NDArray[np.int64]
    raw_digests: NDArray[np.uint8]
    failed: Mapping[int, str]
    num_indexed: int
    num_changed: int
    num_missing: int

    @property
    def digests(self) -> list[str]:
        """Digest of each, in hexadecimal."""
        return hexadecimal(self.raw_digests)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What an index holds of documents, and the texts of the others.

    Attributes:
        documents: What is told of the documents.
        rows: (n,) the row of each in the index; -1 where there is none.
        texts: Those of the documents without a row.
    """

    documents: dict[str, Any]
    rows: NDArray[np.int64]
    texts: list[str]


def find_documents(
    source: DocumentSource,
    positions: NDArray[np.int64],
    index: StoredIndex[Any, Any] | None,
    *,
    num_processes: int,
    tell: Callable[[int, int], None],
) -> Found:
    """Find (n,) documents in an index, and read those that it does not hold as they are.

    A document that has the stamp it was indexed with is not even opened.

    Raises:
        InvalidParameters: If a digest is not what it should be.
    """
    tell(0, len(positions))
    known = np.full(len(positions), -1, dtype=np.int64)
    rows = known.copy()
    digests = np.zeros((len(positions), DIGEST_BYTES), dtype=np.uint8)
    if index is not None:
        known = index.rows_of(source.ids[positions])
        places = np.flatnonzero(known >= 0)
        stamps = survey(source, positions[places], num_processes=num_processes).stamps
        same = places[(stamps != 0) & (stamps == index.table.stamps[known[places]])]
        rows[same] = known[same]
        digests[same] = index.digests[rows[same]]
    is_kept = rows >= 0
    failed: dict[int, str] = {}
    texts: list[str] = []
    to_read = np.flatnonzero(~is_kept)
    num_same = len(positions) - len(to_read)
    documents = source.read(positions[to_read])
    for done, (place, document) in enumerate(zip(to_read.tolist(), documents, strict=True)):
        tell(num_same + done, len(positions))
        if isinstance(document, UnreadableDocument):
            failed[int(source.ids[positions[place]])] = document.reason
            continue
        digest = digest_bytes(document)
        is_kept[place] = True
        digests[place] = np.frombuffer(digest, np.uint8)
        if index is not None:
            rows[place] = index.row_with(digest, int(known[place]))
        if rows[place] < 0:
            texts.append(document.text)
    tell(len(positions), len(positions))
    fresh = is_kept & (rows < 0)
    return Found(
        documents={
            "positions": positions[is_kept],
            "raw_digests": digests[is_kept],
            "failed": failed,
            "num_indexed": int(np.count_nonzero(rows >= 0)),
            "num_changed": int(np.count_nonzero(fresh & (known >= 0))),
            "num_missing": int(np.count_nonzero(fresh & (known < 0))),
        },
        rows=rows[is_kept],
        texts=texts,
    )
