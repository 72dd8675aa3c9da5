"""What a model says of test documents, of each as much as a report needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters, NoDocuments
from lexiclass.predictions import Predictions
from lexiclass.report.confusion import Confusion
from lexiclass.report.model import DocumentId

Column: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int32]

HIGHEST: Final = 5
"""Probabilities kept of a document: the highest ones."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcomes:
    """Predictions of n test documents against the truth.

    Attributes:
        classes: Names: those of the model, and then true ones that it does not know.
        num_known: How many of them the model knows.
        documents: The n documents.
        true: (n,) number of each one's true class.
        highest: (n, h) numbers of the most probable classes, highest first, the predicted one
            first: at most :data:`HIGHEST`.
        probabilities: (n, h) of these.
        of_truth: (n,) probability of the true class; 0 where the model does not know it.
        squares: (n,) sum of the squares of all probabilities.
        num_words: (n,) words of each document; None where that is not known.
        known_words: (n,) how many of these the model knows; None likewise.
    """

    classes: Sequence[str]
    num_known: int
    documents: Sequence[DocumentId]
    true: Codes
    highest: Codes
    probabilities: Column
    of_truth: Column
    squares: Column
    num_words: NDArray[np.int64] | None = None
    known_words: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def predicted(self) -> Codes:
        """(n,) number of each predicted class."""
        return self.highest[:, 0]

    @property
    def confidence(self) -> Column:
        """(n,) probability of the predicted class."""
        return self.probabilities[:, 0]

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """(n,) whether a document is predicted right."""
        return np.asarray(self.true == self.predicted)

    def confusion(self) -> Confusion:
        """Count true and predicted classes."""
        numbers = np.unique(np.concatenate((self.true, self.predicted))).tolist()
        numbers.sort(key=self.classes.__getitem__)
        place = np.empty(len(self.classes), dtype=np.intp)
        place[numbers] = np.arange(len(numbers))
        return Confusion.of_codes(
            [self.classes[number] for number in numbers], place[self.true], place[self.predicted]
        )


class OutcomeCollector:
    """Takes in predictions a batch at a time; of n documents of k classes no n times k are kept."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._num_known = len(classes)
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._documents: list[DocumentId] = []
        self._parts: list[dict[str, NDArray[Any] | None]] = []

    def add(
        self, documents: Sequence[DocumentId], labels: Sequence[str], predictions: Predictions
    ) -> None:
        """Take in some documents.

        Raises:
            InvalidParameters: If there are not as many of each, the predictions are of other
                classes, or of any number of classes a document.
        """
        if predictions.threshold is not None:
            raise InvalidParameters(
                "These predictions are of any number of classes a document; a report is made of "
                "predictions of one class each."
            )
        if not len(documents) == len(labels) == len(predictions):
            raise InvalidParameters(
                f"Found {len(documents)} documents, {len(labels)} true labels and "
                f"{len(predictions)} predictions; give one each."
            )
        known = self._numbers
        if len(predictions.classes) != self._num_known or any(
            known.get(name) != number for number, name in enumerate(predictions.classes)
        ):
            raise InvalidParameters("The predictions are of other classes than those before.")
        if not len(documents):
            return
        true = np.fromiter((known.setdefault(name, len(known)) for name in labels), dtype=np.int32)
        probabilities = predictions.probabilities
        highest, values = predictions.highest(min(HIGHEST, self._num_known))
        of_truth = np.zeros(len(true))
        there = np.flatnonzero(true < self._num_known)
        of_truth[there] = probabilities[there, true[there]]
        self._documents += documents
        self._parts.append(
            {
                "true": true,
                "highest": highest.astype(np.int32),
                # Rounding may bring a sum, and so one of its parts, above 1.
                "probabilities": np.minimum(values, 1.0),
                "of_truth": np.minimum(of_truth, 1.0),
                "squares": np.einsum("ij,ij->i", probabilities, probabilities),
                "num_words": predictions.num_words,
                "known_words": predictions.known_words,
            }
        )

    def outcomes(self) -> Outcomes:
        """Return what was taken in.

        Raises:
            NoDocuments: If nothing was.
        """
        if not self._parts:
            raise NoDocuments("There is no test document to evaluate on; label some for testing.")
        return Outcomes(
            classes=list(self._numbers),
            num_known=self._num_known,
            documents=self._documents,
            true=self._column("true"),
            highest=self._column("highest"),
            probabilities=self._column("probabilities"),
            of_truth=self._column("of_truth"),
            squares=self._column("squares"),
            num_words=self._joined("num_words"),
            known_words=self._joined("known_words"),
        )

    def _column(self, name: str) -> NDArray[Any]:
        found = self._joined(name)
        assert found is not None  # noqa: S101 - of every batch
        return found

    def _joined(self, name: str) -> NDArray[Any] | None:
        """Join what every batch has."""
        parts = [part[name] for part in self._parts]
        there = [part for part in parts if part is not None]
        return np.concatenate(there) if len(there) == len(parts) else None
