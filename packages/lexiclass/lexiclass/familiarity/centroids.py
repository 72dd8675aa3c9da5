"""Familiarity by how near a document's embedding is to those of a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lexiclass.familiarity.conformal import Reference, Scores
from lexiclass.folds import Keys

Rows = NDArray[np.floating[Any]]

# Rows whose distances are computed together.
_BLOCK = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class CentroidFamiliarity:
    """Compares how far a document is from the nearest class with how far training documents are.

    The score is minus the distance of the embedding from the nearest of the classes' means. It is
    that of K. Lee, K. Lee, H. Lee, J. Shin, "A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018, with the unit matrix for the
    covariance, whose estimate needs more documents than many fields have.

    A training document is compared with means that it, and those equal to it, have no part in. So
    no document vouches for itself.

    Attributes:
        centroids: (k, d) float32 means.
        reference: Scores of the training documents.
    """

    kind: ClassVar[str] = "centroids"
    centroids: NDArray[np.float32]
    reference: Reference

    @classmethod
    def fit(cls, rows: Rows, codes: NDArray[np.intp], keys: Keys) -> Self:
        """Learn from the training documents.

        Args:
            rows: (n, d) embeddings.
            codes: (n,) class of each, 0, 1, ...
            keys: (n,) numbers that are equal for documents that are the same.
        """
        # The order of the documents must not change how sums are rounded.
        order = np.lexsort((keys, codes))
        rows, codes, keys = np.asarray(rows)[order], codes[order], keys[order]
        present, codes, sizes = np.unique(codes, return_inverse=True, return_counts=True)
        sums = np.zeros((len(present), rows.shape[1]))
        np.add.at(sums, codes, rows)
        centroids = (sums / sizes[:, np.newaxis]).astype(np.float32)
        pairs = np.column_stack((codes.astype(np.uint64), keys))
        _, groups = np.unique(pairs, axis=0, return_inverse=True)
        same = np.bincount(groups)[groups]
        others = sizes[codes] - same
        # What is left of the class is as much further away as its mean was drawn to the document.
        factors = np.full(len(codes), np.inf)
        np.divide(sizes[codes], others, out=factors, where=others > 0)
        scores = _scores(rows, centroids, (codes, factors))
        return cls(centroids, Reference.of(scores[np.isfinite(scores)]))

    @classmethod
    def from_state(cls, state: Mapping[str, Any], centroids: NDArray[np.float32]) -> Self:
        """Restore what :meth:`state` returned, and the means.

        Raises:
            ValueError: If the numbers are out of range.
        """
        if not len(centroids) or not np.isfinite(centroids).all():
            raise ValueError("centroids out of range")
        return cls(centroids, Reference.from_state(state["reference"]))

    def p_values(self, rows: Rows) -> Scores:
        """Return (n,) p-values of documents with (n, d) embeddings."""
        return self.reference.p_values(_scores(rows, self.centroids))

    def state(self) -> dict[str, Any]:
        """Return all but the means, as JSON."""
        return {"kind": self.kind, "reference": self.reference.state()}


def _scores(
    rows: Rows,
    centroids: NDArray[np.float32],
    own: tuple[NDArray[np.intp], NDArray[np.float64]] | None = None,
) -> Scores:
    """Return (n,) minus the distances from the nearest centroid.

    Args:
        rows: (n, d) embeddings.
        centroids: (k, d) means.
        own: Of each row a column, and what its distance there is times.
    """
    scores = np.empty(len(rows))
    means = centroids.astype(np.float64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        points = np.asarray(rows[block], dtype=np.float64)
        squares = np.square(points).sum(axis=1)[:, np.newaxis] + np.square(means).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * points @ means.T, 0))
        if own is not None:
            codes, factors = own[0][block], own[1][block]
            places = np.arange(len(points)), codes
            # A class that no other document is in is not there.
            beyond = np.full(len(points), np.inf)
            np.multiply(distances[places], factors, out=beyond, where=np.isfinite(factors))
            distances[places] = beyond
        scores[block] = -distances.min(axis=1)
    return scores
