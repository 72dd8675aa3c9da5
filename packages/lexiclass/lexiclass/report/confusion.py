"""How many documents of which class are predicted as which: what all figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lexiclass.labels import label_codes


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """The cells of a confusion matrix that are not empty.

    Attributes:
        classes: The k names, of classes that occur or are predicted; sorted.
        true: (m,) number of each cell's true class.
        predicted: (m,) number of its predicted class.
        counts: (m,) documents in it.
        cell_of: (n,) number of each document's cell; None where that is not known.
    """

    classes: Sequence[str]
    true: NDArray[np.intp]
    predicted: NDArray[np.intp]
    counts: NDArray[np.int64]
    cell_of: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, labels: Sequence[str], predicted: Sequence[str]) -> Self:
        """Count n true labels, at least one, and as many predicted ones."""
        classes = sorted({*labels, *predicted})
        return cls.of_codes(classes, label_codes(labels, classes), label_codes(predicted, classes))

    @classmethod
    def of_codes(
        cls, classes: Sequence[str], true: NDArray[np.intp], predicted: NDArray[np.intp]
    ) -> Self:
        """Count (n,) true classes and as many predicted ones, by numbers of k sorted names."""
        codes = true * len(classes) + predicted
        cells, cell_of, counts = np.unique(codes, return_inverse=True, return_counts=True)
        rows, columns = np.divmod(cells, len(classes))
        return cls(classes, rows, columns, counts, cell_of)

    @classmethod
    def of_matrix(cls, matrix: Mapping[str, Any]) -> Self | None:
        """Take what :func:`lexiclass.evaluate` counted.

        Returns:
            None if cells were left out of it.
        """
        classes = matrix["classes"]
        if matrix["matrix"] is not None:
            dense = np.array(matrix["matrix"], dtype=np.int64)
            true, predicted = np.nonzero(dense)
            return cls(classes, true, predicted, dense[true, predicted])
        if matrix["num_omitted"]:
            return None
        cells = np.array(matrix["cells"], dtype=np.int64)
        return cls(classes, cells[:, 0], cells[:, 1], cells[:, 2])

    @property
    def num_documents(self) -> int:
        """How many there are in all cells."""
        return int(self.counts.sum())

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """(m,) whether a cell's documents are predicted right."""
        return np.asarray(self.true == self.predicted)

    @property
    def hits(self) -> NDArray[np.int64]:
        """(k,) documents of each class that are predicted right."""
        return self._of_class(self.true[self.is_right], self.counts[self.is_right])

    @property
    def involved(self) -> NDArray[np.int64]:
        """(k,) documents that are of a class, or predicted as such."""
        return self.support + self.predictions - self.hits

    @property
    def predictions(self) -> NDArray[np.int64]:
        """(k,) documents that are predicted as a class."""
        return self._of_class(self.predicted, self.counts)

    @property
    def support(self) -> NDArray[np.int64]:
        """(k,) documents that are of a class."""
        return self._of_class(self.true, self.counts)

    def _of_class(self, codes: NDArray[np.intp], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(codes, weights=counts, minlength=len(self.classes)).astype(np.int64)
