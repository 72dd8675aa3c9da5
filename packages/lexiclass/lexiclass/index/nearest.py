"""The best of many similarities, in an order that does not depend on how they were computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.index.table import DocumentTable

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


def require_limit(limit: int) -> None:
    """Check the number of results asked for.

    Raises:
        InvalidParameters: If it is below 1.
    """
    if limit < 1:
        raise InvalidParameters(f"The limit is {limit}; ask for at least 1 document.")


def require_rows(table: DocumentTable, ids: Sequence[int]) -> NDArray[np.int64]:
    """Return the rows of documents.

    Raises:
        InvalidParameters: If a document is not in the table.
    """
    rows = table.places_of(np.asarray(ids, dtype=np.int64))
    if (rows < 0).any():
        absent = [int(number) for number, row in zip(ids, rows, strict=True) if row < 0]
        raise InvalidParameters(
            f"The index has no document {', '.join(map(str, absent[:10]))}; index it first.",
            details={"absent": absent[:100], "num_absent": len(absent)},
        )
    return rows
