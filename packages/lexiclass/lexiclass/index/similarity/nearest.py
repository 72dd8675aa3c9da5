"""The best of many similarities, in an order that does not depend on how they were computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.index.store.table import DocumentTable

#: Similarities held at a time: 48 MB at 12 bytes each.
MAX_CELLS = 4_000_000


class Neighbour(NamedTuple):
    """A document, and the cosine of its angle to the one asked about: in (0, 1]."""

    id: int
    similarity: float


def nearest(
    ids: NDArray[np.int64], cosines: NDArray[np.floating], *, limit: int, without: int | None
) -> list[Neighbour]:
    """Return the documents with the highest cosines above 0, those that tie by id.

    Args:
        ids: (n,) ascending.
        cosines: (n,) rounded, so that what should be equal is.
        limit: Most results.
        without: A document that is left out.
    """
    kept = (cosines > 0) if without is None else (ids != without) & (cosines > 0)
    ids, cosines = ids[kept], cosines[kept]
    if len(ids) > limit:
        # Everything that ties with the last result stays in until the ids have decided.
        kept = cosines >= np.partition(cosines, -limit)[-limit]
        ids, cosines = ids[kept], cosines[kept]
    order = np.lexsort((ids, -cosines))[:limit]
    return list(map(Neighbour, ids[order].tolist(), cosines[order].tolist()))


MatrixT = TypeVar("MatrixT", bound=Any)


class Search(ABC, Generic[MatrixT]):
    """Finds similar documents by the exact cosine of their rows.

    Args:
        table: The documents.
        rows: (n, m) their rows, each of length 1 or 0.
    """

    def __init__(self, table: DocumentTable, rows: MatrixT) -> None:
        self._table = table
        self._documents = rows

    def by_ids(self, ids: Sequence[int], *, limit: int = 10) -> list[list[Neighbour]]:
        """Find what is like documents of the index, each of them itself left out.

        Raises:
            InvalidParameters: If a document is not in the index, or the limit below 1.
        """
        rows = self._table.places_of(np.asarray(ids, dtype=np.int64))
        if (rows < 0).any():
            absent = [int(number) for number, row in zip(ids, rows, strict=True) if row < 0]
            raise InvalidParameters(
                f"The index has no document {', '.join(map(str, absent[:10]))}; index it first.",
                details={"absent": absent[:100], "num_absent": len(absent)},
            )
        return self._nearest(self._documents[rows], limit, without=ids)

    def _nearest(
        self, queries: MatrixT, limit: int, *, without: Sequence[int] | None = None
    ) -> list[list[Neighbour]]:
        if limit < 1:
            raise InvalidParameters(f"The limit is {limit}; ask for at least 1 document.")
        found: list[list[Neighbour]] = []
        step = max(1, MAX_CELLS // max(1, len(self._table)))
        for start in range(0, queries.shape[0], step):
            for ids, cosines in self._cosines(queries[start : start + step]):
                left_out = None if without is None else without[len(found)]
                found.append(nearest(ids, cosines, limit=limit, without=left_out))
        return found

    @abstractmethod
    def _cosines(
        self, queries: MatrixT
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        """Yield for each of some rows documents, by id, and their rounded cosines to it."""
