"""What a pipeline predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass.familiarity import FALSE_ALARMS


class Prediction(NamedTuple):
    """The most probable class of one document, and its probability."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Calibrated predictions for a sequence of documents; iterating gives one at a time.

    Attributes:
        classes: The k class names, sorted.
        probabilities: (n, k) probabilities; every row sums to 1 unless there is a threshold.
        threshold: Where a document can have any number of classes, the probability from which it
            has a class; ``None`` where it has exactly one. ``dataclasses.replace`` tries another.
        known_words: (n,) how many words (or tokens) of each document the model knows, on which its
            prediction rests; ``None`` where that can't be told, as of embeddings.
        familiarity: (n,) p-value of each document's being like those of training, by the share of
            its words that the model knows or by where its embedding lies: of such documents, a
            share p has at most p. ``None`` where that can't be told, as by a model that an earlier
            version trained.
        num_words: (n,) how many words (or tokens) each document has; ``None`` where the model does
            not read words.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    threshold: float | None = None
    known_words: NDArray[np.int64] | None = None
    familiarity: NDArray[np.float64] | None = None
    num_words: NDArray[np.int64] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Join predictions of one pipeline, at least one."""
        probabilities = np.concatenate([part.probabilities for part in parts])
        return cls(
            parts[0].classes,
            probabilities,
            parts[0].threshold,
            _joined([part.known_words for part in parts]),
            _joined([part.familiarity for part in parts]),
            _joined([part.num_words for part in parts]),
        )

    @property
    def unfamiliar(self) -> NDArray[np.bool_] | None:
        """(n,) whether a document is unlike those of training; ``None`` where that can't be told.

        Of those that are like them, one in a hundred is taken for unlike.
        """
        return None if self.familiarity is None else self.familiarity <= FALSE_ALARMS

    @property
    def codes(self) -> NDArray[np.intp]:
        """(n,) column of the most probable class; the first one on a tie."""
        if not len(self):
            return np.empty(0, dtype=np.intp)
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def labels(self) -> list[str]:
        """The n most probable classes."""
        return list(map(self.classes.__getitem__, self.codes.tolist()))

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(n,) probability of the most probable class."""
        return np.asarray(self.probabilities.max(axis=1, initial=0.0))

    def highest(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return (n, count) most probable columns, the first on a tie, and their probabilities."""
        last = -np.partition(-self.probabilities, count - 1, axis=1)[:, [count - 1]]
        above, equal = self.probabilities > last, self.probabilities == last
        wanted = count - above.sum(axis=1, keepdims=True)
        chosen = above | (equal & (equal.cumsum(axis=1) <= wanted))
        codes = np.nonzero(chosen)[1].reshape(-1, count)
        values = np.take_along_axis(self.probabilities, codes, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return (
            np.take_along_axis(codes, order, axis=1),
            np.take_along_axis(values, order, axis=1),
        )

    @property
    def members(self) -> NDArray[np.bool_]:
        """(n, k) whether a document has a class."""
        if self.threshold is None:
            return np.asarray(self.codes[:, np.newaxis] == np.arange(len(self.classes)))
        return np.asarray(self.probabilities >= self.threshold)

    @property
    def label_sets(self) -> list[tuple[str, ...]]:
        """The classes of each document, sorted: exactly one unless there is a threshold."""
        return [
            tuple(map(self.classes.__getitem__, np.flatnonzero(row).tolist()))
            for row in self.members
        ]

    def __len__(self) -> int:
        return len(self.probabilities)

    def __iter__(self) -> Iterator[Prediction]:
        return map(Prediction, self.labels, self.confidence.tolist())


def _joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Join what every part has."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if len(there) == len(parts) else None
