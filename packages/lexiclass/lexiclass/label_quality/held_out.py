"""Probabilities of training documents, from classifiers that were trained without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import Calibrator, Documents

#: Probabilities that are kept of a document, beside that of its own class: all there are of up to
#: so many classes.
MOST_KEPT = 10

# Numbers computed at a time: with 5,000 classes all of them would take as much again as the scores.
_AT_A_TIME = 2**20


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeldOut:
    """What m of the training documents look like to a classifier that has not seen them.

    Attributes:
        numbers: (m,) which of the training documents they are, ascending.
        own: (m,) probability of the class that a document is labelled with.
        classes: (m, t) columns of the most probable classes, the most probable first.
        probabilities: (m, t) of these.
    """

    numbers: NDArray[np.int64]
    own: NDArray[np.float32]
    classes: NDArray[np.int32]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, calibrator: Calibrator, documents: Documents) -> HeldOut | None:
        """Keep what a training has held out, to fit its calibrator on.

        Args:
            calibrator: Fitted on these documents; of the order of ten numbers a class, so that the
                probability of a document says next to nothing of its own label.
            documents: What was held out.

        Returns:
            None where documents have several classes each, or nobody says which documents they are.
        """
        targets = documents.targets
        if targets.multi_label or documents.numbers is None:
            return None
        num_classes = documents.scores.shape[1]
        kept = min(MOST_KEPT, num_classes)
        order = np.argsort(documents.numbers, kind="stable")
        size = max(1, _AT_A_TIME // max(1, num_classes))
        own = np.empty(len(order), dtype=np.float32)
        classes = np.empty((len(order), kept), dtype=np.int32)
        probabilities = np.empty((len(order), kept), dtype=np.float32)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            found = calibrator(documents.scores[rows], documents.evidence[rows])
            part = slice(start, start + len(rows))
            own[part] = found[np.arange(len(rows)), targets.strata[rows]]
            best = np.argsort(-found, axis=1, kind="stable")[:, :kept]
            classes[part] = best
            probabilities[part] = np.take_along_axis(found, best, axis=1)
        return cls(
            numbers=documents.numbers[order].astype(np.int64),
            own=own,
            classes=classes,
            probabilities=probabilities,
        )
