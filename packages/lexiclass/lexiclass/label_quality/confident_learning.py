"""Confident learning: which labels a classifier that has not seen them does not believe.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
Journal of Artificial Intelligence Research 70, 2021. A class is believed of a document where its
probability reaches the mean that the class has among the documents labelled with it; so a class
that is never very probable has a low threshold, and one that always is a high one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexiclass.label_quality.held_out import HeldOut

# Rounding of single precision, by which a probability may fall short of the mean of equal ones.
_ROUNDING = np.float32(1e-6)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ConfidentJoint:
    """Of m documents the class they are labelled with, and the one that is believed of them.

    Only classes among the most probable ones that :class:`~lexiclass.label_quality.HeldOut` keeps
    are believed of a document. The matrix that the paper counts in has a cell for each pair of
    classes; here the documents themselves are kept, of which thousands of classes have fewer.

    Attributes:
        given: (m,) columns of the labels.
        believed: (m,) columns of the classes that are believed; -1 where none is.
        thresholds: (k,) probability from which each class is believed; infinite for a class that no
            document held out is labelled with.
    """

    given: NDArray[np.int32]
    believed: NDArray[np.int32]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, held_out: HeldOut, given: NDArray[np.int32], num_classes: int) -> ConfidentJoint:
        """Count, as equation 1 of the paper does.

        Args:
            held_out: Probabilities of m documents.
            given: (m,) column of the class each is labelled with.
            num_classes: Number of classes.
        """
        sizes = np.bincount(given, minlength=num_classes)
        sums = np.bincount(given, weights=held_out.own, minlength=num_classes)
        thresholds = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.inf)
        is_believed = held_out.probabilities >= thresholds[held_out.classes] - _ROUNDING
        # The most probable come first: the first that is believed is the most probable one.
        first = is_believed.argmax(axis=1)
        rows = np.arange(len(given))
        believed = np.where(is_believed[rows, first], held_out.classes[rows, first], -1)
        return cls(given=given, believed=believed.astype(np.int32), thresholds=thresholds)

    @property
    def is_suspect(self) -> NDArray[np.bool_]:
        """(m,) whether another class is believed of a document than it is labelled with."""
        return np.asarray((self.believed >= 0) & (self.believed != self.given))

    def num_wrong(self) -> float:
        """Estimate how many of the m labels are wrong.

        Each class has as many wrong labels as the share of its documents that another class is
        believed of, among those of which any is: equation 3 of the paper, summed.
        """
        num_classes = len(self.thresholds)
        counted = self.believed >= 0
        sizes = np.bincount(self.given, minlength=num_classes)
        believed = np.bincount(self.given[counted], minlength=num_classes)
        wrong = np.bincount(self.given[self.is_suspect], minlength=num_classes)
        return float((sizes * wrong / np.maximum(believed, 1)).sum())


def normalized_margins(held_out: HeldOut, given: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return how much more probable the best other class is than the label, in [0, 1].

    ``(1 + max over other classes - label) / 2``: 1 less what cleanlab calls the label quality by
    normalized margin, section 3.2 of the paper.

    Args:
        held_out: Probabilities of m documents.
        given: (m,) column of the class each is labelled with.

    Returns:
        (m,) scores, 0.5 where label and best other class are equally probable.
    """
    others = np.where(held_out.classes == given[:, np.newaxis], -1, held_out.probabilities)
    best = np.maximum(others.max(axis=1, initial=-1), 0).astype(np.float64)
    return np.asarray((1 + best - held_out.own) / 2)
