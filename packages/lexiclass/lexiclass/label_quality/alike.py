"""Documents that are alike and labelled differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Conflicts:
    """Documents that are like others with another label.

    Attributes:
        rows: (c,) which documents; those whose label is not the one of most of their group.
        better: (c,) column of the class that most of the group have.
        scores: (c,) share of the group that is labelled otherwise; 0.5 of two that differ.
    """

    rows: NDArray[np.intp]
    better: NDArray[np.int32]
    scores: NDArray[np.float64]


def conflicts(
    groups: NDArray[np.int32], labels: NDArray[np.int32], belief: NDArray[np.float64]
) -> Conflicts:
    """Find the documents of a group that are labelled as fewer of it are.

    Of labels that are equally frequent in a group the one is better that classifiers believe more;
    where these say nothing, the first.

    Args:
        groups: (n,) number of the group that each document is in; -1 for none.
        labels: (n,) column of the class of each.
        belief: (n,) probability of that class, from a classifier that has not seen the document; 0
            where none was asked.
    """
    inside = np.flatnonzero(groups >= 0)
    # A cell is a label in a group: those of a group follow one another, the best one last.
    pairs = np.stack((groups[inside], labels[inside]))
    cells, cell = np.unique(pairs, axis=1, return_inverse=True)
    cell = cell.ravel()
    counts = np.bincount(cell, minlength=cells.shape[1])
    believed = np.bincount(cell, weights=belief[inside], minlength=cells.shape[1])
    order = np.lexsort((-cells[1], believed, counts, cells[0]))
    is_last = np.ones(len(order), dtype=np.bool_)
    is_last[:-1] = np.diff(cells[0][order]) != 0
    best = order[is_last]
    sizes = np.bincount(groups[inside], minlength=int(groups.max(initial=-1)) + 1)
    better = np.zeros(len(sizes), dtype=np.int32)
    better[cells[0][best]] = cells[1][best]
    found = labels[inside] != better[groups[inside]]
    rows = inside[found]
    return Conflicts(
        rows=rows,
        better=better[groups[rows]],
        scores=1 - counts[cell[found]] / sizes[groups[rows]],
    )
