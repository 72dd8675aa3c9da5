"""Bag of words: how often each n-gram occurs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from lexiclass.plugins.features.ngrams.extractor import NgramExtractor
from lexiclass.plugins.features.ngrams.relearning import kept_frequency, scaled_columns
from lexiclass.plugins.features.ngrams.selection import NgramParameters
from lexiclass.plugins.training_rows import Relearn
from lexiclass.rows import Rows
from lexiclass.tokens import TokenMatrix


class BowParameters(NgramParameters):
    """Parameters of the ``bow`` feature extractor."""

    binary: bool = Field(default=False, description="Only whether an n-gram occurs, not how often.")


class BowExtractor(NgramExtractor[BowParameters]):
    """Counts n-grams; the vocabulary comes from the training documents only."""

    def fit_transform(self, documents: TokenMatrix) -> sparse.csr_array:
        """Count the training documents; see :meth:`lexiclass.FeatureExtractor.fit_transform`."""
        return self._weigh(self._choose(documents))

    def relearned(self, rows: Rows, kept: NDArray[np.bool_]) -> Relearn:
        """Leave out the n-grams that too few of the documents kept have."""
        frequency = kept_frequency(rows, kept)
        return scaled_columns((frequency >= self._fewest).astype(np.float32))

    def _weigh(self, counts: sparse.csr_array) -> sparse.csr_array:
        if self._parameters.binary:
            counts.data[:] = 1
        return counts
