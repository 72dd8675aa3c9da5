"""Which words of a document speak for one class over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.plugins.assembly import Assembly
from lexiclass.tokens import TokenMatrix

#: Terms of each side that are told unless said otherwise.
MOST_TERMS: Final = 5


@dataclass(frozen=True, slots=True)
class Contrast:
    """The terms of a document that speak for one class and for another, the strongest first."""

    given: tuple[str, ...]
    better: tuple[str, ...]


def contrast(
    assembly: Assembly,
    documents: TokenMatrix | Sequence[str],
    given: NDArray[np.integer],
    better: NDArray[np.integer],
    *,
    most: int = MOST_TERMS,
) -> list[Contrast] | None:
    """Find the terms by which trained plugins tell two classes of each document apart.

    A term counts by what it adds to the difference of the two scores, which is a sum over features
    in linear models.

    Args:
        assembly: The plugins.
        documents: n documents, tokenized or as texts.
        given: (n,) column of the one class of each.
        better: (n,) column of the other.
        most: How many terms of each side.

    Returns:
        One for each document; ``None`` where features have no names or scores are no sums.
    """
    extractor = assembly.extractor
    names = None if extractor is None else extractor.feature_names()
    if extractor is None or names is None:
        return None
    if not isinstance(documents, TokenMatrix) and assembly.tokenizer is not None:
        documents = assembly.tokenizer.encode(documents)
    added = assembly.classifier.contrast(extractor.transform(documents), given, better)
    if added is None:
        return None
    return [_strongest(added, row, names, most) for row in range(added.shape[0])]


def _strongest(added: sparse.csr_array, row: int, names: Sequence[str], most: int) -> Contrast:
    values = added.data[added.indptr[row] : added.indptr[row + 1]]
    columns = added.indices[added.indptr[row] : added.indptr[row + 1]]
    # By column where equally strong: the same every time.
    sides = (
        tuple(names[columns[at]] for at in np.lexsort((columns, side))[:most] if side[at] < 0)
        for side in (values, -values)
    )
    return Contrast(*sides)
