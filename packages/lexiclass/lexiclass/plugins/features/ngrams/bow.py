"""Bag of words: how often each n-gram occurs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from lexiclass.plugins.base import FeatureExtractor, PluginContext
from lexiclass.plugins.features.ngrams.counting import NgramFeatures
from lexiclass.plugins.features.ngrams.relearning import kept_frequency, scaled_columns
from lexiclass.plugins.features.ngrams.selection import NgramParameters
from lexiclass.plugins.training_rows import Relearn
from lexiclass.rows import Rows
from lexiclass.tokens import TokenMatrix


class BowParameters(NgramParameters):
    """Parameters of the ``bow`` feature extractor."""

    binary: bool = Field(default=False, description="Only whether an n-gram occurs, not how often.")


class BowExtractor(FeatureExtractor):
    """Counts n-grams; the vocabulary comes from the training documents only."""

    def __init__(self, parameters: BowParameters, context: PluginContext) -> None:
        del context  # counting depends on neither language nor seed
        self._parameters = parameters
        self._features = NgramFeatures()
        self._fewest: NDArray[np.int64] = np.empty(0, np.int64)

    def fit_transform(self, documents: TokenMatrix) -> sparse.csr_array:
        """Choose the vocabulary and count it in the training documents.

        Raises:
            EmptyVocabulary: If no n-gram is left.
        """
        self._features, counts = NgramFeatures.choose(documents, self._parameters, self.num_classes)
        self._fewest = self._features.fewest(self._parameters, len(documents), self.num_classes)
        return self._weigh(counts)

    def transform(self, documents: TokenMatrix) -> sparse.csr_array:
        """Count the vocabulary: (n, num_features) float32."""
        return self._weigh(self._features.counts(documents))

    def relearned(self, rows: Rows, kept: NDArray[np.bool_]) -> Relearn:
        """Leave out the n-grams that too few of the documents kept have."""
        frequency = kept_frequency(rows, kept)
        return scaled_columns((frequency >= self._fewest).astype(np.float32))

    def known_words(self, documents: TokenMatrix) -> NDArray[np.int64] | None:
        """Return (n,) how many tokens of each document are in a vocabulary of words, if any."""
        return self._features.known_words(documents)

    def num_features(self) -> int:
        """Return the number of n-grams."""
        return self._features.num_features

    def feature_names(self) -> list[str]:
        """Return the n-grams, in column order."""
        return self._features.names()

    def save(self, directory: Path) -> None:
        """Write the vocabulary."""
        self._features.save(directory)

    def load(self, directory: Path) -> None:
        """Read the vocabulary.

        Raises:
            ModelCorrupt: If the files do not make one.
        """
        self._features = NgramFeatures.load(directory, self._parameters)

    def _weigh(self, counts: sparse.csr_array) -> sparse.csr_array:
        if self._parameters.binary:
            counts.data[:] = 1
        return counts
