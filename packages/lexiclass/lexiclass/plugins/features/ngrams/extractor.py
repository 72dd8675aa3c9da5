"""What extractors of n-grams have in common: the vocabulary, and how often each occurs."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.plugins.base import FeatureExtractor, PluginContext
from lexiclass.plugins.features.ngrams.counting import NgramFeatures
from lexiclass.plugins.features.ngrams.selection import NgramParameters
from lexiclass.tokens import TokenMatrix

ParametersT = TypeVar("ParametersT", bound=NgramParameters)


class NgramExtractor(FeatureExtractor, Generic[ParametersT]):
    """Counts n-grams of a vocabulary, which comes from the training documents only."""

    def __init__(self, parameters: ParametersT, context: PluginContext) -> None:
        del context  # counting depends on neither language nor seed
        self._parameters = parameters
        self._features = NgramFeatures()
        self._fewest: NDArray[np.int64] = np.empty(0, np.int64)

    def transform(self, documents: TokenMatrix) -> sparse.csr_array:
        """Count and weigh the vocabulary: (n, num_features) float32."""
        return self._weigh(self._features.counts(documents))

    def known_words(self, documents: TokenMatrix) -> NDArray[np.int64] | None:
        """Return (n,) how many tokens of each document are in a vocabulary of words, if any."""
        return self._features.known_words(documents)

    def num_features(self) -> int:
        """Return the number of n-grams."""
        return self._features.num_features

    def feature_names(self, columns: NDArray[np.integer] | None = None) -> list[str]:
        """Return the n-grams that columns count, given in ascending order; of all if not given."""
        return self._features.names(columns)

    def save(self, directory: Path) -> None:
        """Write the vocabulary."""
        self._features.save(directory)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        self._features = NgramFeatures.load(directory, self._parameters)

    def _choose(self, documents: TokenMatrix) -> sparse.csr_array:
        """Choose the vocabulary. Returns its counts in the training documents."""
        self._features, counts = NgramFeatures.choose(documents, self._parameters, self.num_classes)
        self._fewest = self._features.fewest(self._parameters, len(documents), self.num_classes)
        return counts

    @abstractmethod
    def _weigh(self, counts: sparse.csr_array) -> sparse.csr_array:
        """What counts come to, which may be changed in place."""
