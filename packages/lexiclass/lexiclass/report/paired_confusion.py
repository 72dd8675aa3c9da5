"""What two models predict of the same documents, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.labels import label_codes
from lexiclass.report.copies import Clusters, Groups, has_copies

Column: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PairedConfusion:
    """Documents by their true class, and by what each of two models predicts.

    Attributes:
        classes: The k names, of classes that occur or are predicted; sorted.
        true: (m,) number of each cell's true class.
        first: (m,) number of the class that the first model predicts.
        second: (m,) likewise of the second.
        counts: (m,) documents in it.
        clusters: Groups of near-duplicates among them; None if all differ, or if that is not known.
    """

    classes: Sequence[str]
    true: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    counts: NDArray[np.int64]
    clusters: Clusters | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        first: Sequence[str],
        second: Sequence[str],
        *,
        groups: Groups | None = None,
    ) -> Self:
        """Count n true labels, at least one, and the predictions of two models.

        ``groups`` (n,) are numbers that near-duplicates have in common; None if all differ.
        """
        classes = sorted({*labels, *first, *second})
        codes = np.stack([label_codes(part, classes) for part in (labels, first, second)])
        cells, cell_of, counts = np.unique(codes, axis=1, return_inverse=True, return_counts=True)
        clusters = None
        if groups is not None and has_copies(groups):
            clusters = Clusters.of(cell_of.ravel(), groups, len(counts))
        return cls(classes, cells[0], cells[1], cells[2], counts, clusters)

    @classmethod
    def of_counts(cls, counts: Mapping[tuple[str, str, str], int]) -> Self:
        """Take documents by true class and both predictions; those of a cell are 1 or more."""
        cells = sorted(counts)
        columns = list(zip(*cells, strict=True))
        classes = sorted({name for cell in cells for name in cell})
        codes = [label_codes(column, classes) for column in columns]
        numbers = np.array([counts[cell] for cell in cells], dtype=np.int64)
        return cls(classes, codes[0], codes[1], codes[2], numbers)

    @property
    def num_documents(self) -> int:
        """How many there are in all cells."""
        return int(self.counts.sum())

    @property
    def support(self) -> Column:
        """(k,) documents that are of a class."""
        return self.documents_of(self.true)

    def documents_of(self, codes: NDArray[np.intp]) -> Column:
        """Sum documents by a class of their cells."""
        return np.bincount(codes, self.counts, len(self.classes)).astype(np.float64)

    def hits_of(self, predicted: NDArray[np.intp]) -> Column:
        """Sum documents that a model predicts right by class."""
        right = np.where(predicted == self.true, self.counts, 0.0)
        return np.bincount(predicted, right, len(self.classes)).astype(np.float64)

    def f1_of(self, predicted: NDArray[np.intp]) -> Column:
        """(k,) F1 scores of a model."""
        return f1_scores(self.hits_of(predicted), self.support + self.documents_of(predicted))

    @property
    def only_first_right(self) -> int:
        """How many documents the first model alone predicts right."""
        return int(self.counts[(self.first == self.true) & (self.second != self.true)].sum())

    @property
    def only_second_right(self) -> int:
        """How many the second alone does."""
        return int(self.counts[(self.second == self.true) & (self.first != self.true)].sum())

    @property
    def num_changed(self) -> int:
        """How many documents the two predict differently."""
        return int(self.counts[self.first != self.second].sum())

    def accuracy_of(self, predicted: NDArray[np.intp]) -> float:
        """Share of documents that a model predicts right."""
        return float(self.counts[predicted == self.true].sum() / self.num_documents)


def f1_scores(hits: Column, total: Column) -> Column:
    """2 hits / (true + predicted), and 0 of classes without documents."""
    return np.divide(2 * hits, total, out=np.zeros(total.shape), where=total > 0)
