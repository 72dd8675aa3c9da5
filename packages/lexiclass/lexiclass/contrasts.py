"""Which words of a document speak for one class over another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
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
    if extractor is None or extractor.feature_names(np.arange(0)) is None:
        return None
    if not isinstance(documents, TokenMatrix) and assembly.tokenizer is not None:
        documents = assembly.tokenizer.encode(documents)
    added = assembly.classifier.contrast(extractor.transform(documents), given, better)
    if added is None:
        return None
    sides = [_strongest(added, row, most) for row in range(added.shape[0])]
    told = sorted({*chain.from_iterable(chain(*sides))})
    names = dict(zip(told, extractor.feature_names(np.array(told, int)) or (), strict=True))

    def named(columns: Iterable[int]) -> tuple[str, ...]:
        return tuple(names[column] for column in columns)

    return [Contrast(named(for_given), named(for_better)) for for_given, for_better in sides]


def _strongest(added: sparse.csr_array, row: int, most: int) -> tuple[list[int], list[int]]:
    """Return the columns that speak for the one class, and for the other."""
    values = added.data[added.indptr[row] : added.indptr[row + 1]]
    columns = added.indices[added.indptr[row] : added.indptr[row + 1]]

    def lowest(side: NDArray[np.floating]) -> list[int]:
        # By column where equally strong: the same every time.
        order = np.lexsort((columns, side))[:most]
        found: list[int] = columns[order[side[order] < 0]].tolist()
        return found

    return lowest(values), lowest(-values)
