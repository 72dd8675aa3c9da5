"""A classifier that knows nothing of lexiclass: ``train`` and ``predict`` are all it has.

It is stored by its attributes, which are plain data, and its scores become calibrated
probabilities: lexiclass does both.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class CentroidClassifier:
    """Predicts the class whose mean training document has the smallest angle to a document.

    Args:
        shrink: How far, from 0 to 1, each mean is moved to the mean of all documents.
    """

    def __init__(self, shrink: float = 0.0) -> None:
        self.shrink = shrink
        self.classes: list[str] = []
        self.means: NDArray[np.float64] = np.empty((0, 0))

    def train(self, features: Any, labels: list[str]) -> None:
        """Learn from (n, num_features) rows and their n labels."""
        self.classes = sorted(set(labels))
        overall = _mean(features)
        means = [_mean(features[np.flatnonzero(np.array(labels) == c)]) for c in self.classes]
        self.means = _unit((1 - self.shrink) * np.array(means) + self.shrink * overall)

    def predict(self, features: Any) -> tuple[list[str], NDArray[np.float64]]:
        """Return n labels and (n, num_classes) scores."""
        lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
        scores = (features @ self.means.T) / np.maximum(lengths, 1e-12)[:, np.newaxis]
        return [self.classes[best] for best in scores.argmax(axis=1)], scores


def _mean(features: Any) -> NDArray[np.float64]:
    return np.asarray(features.mean(axis=0)).ravel()


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
