"""TF-IDF: n-gram counts, damped by how many training documents have the n-gram."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.plugins.base import PluginContext
from lexiclass.plugins.features.ngrams.extractor import NgramExtractor
from lexiclass.plugins.features.ngrams.relearning import kept_frequency, scaled_columns
from lexiclass.plugins.features.ngrams.selection import NgramParameters
from lexiclass.plugins.features.rows import scale_rows
from lexiclass.plugins.training_rows import Relearn
from lexiclass.rows import Rows
from lexiclass.serialization import read_arrays, write_arrays
from lexiclass.tokens import TokenMatrix


class TfidfParameters(NgramParameters):
    """Parameters of the ``tfidf`` feature extractor."""

    ngram_range: tuple[Annotated[int, Field(ge=1, le=5)], Annotated[int, Field(ge=1, le=5)]] = (
        Field(default=(1, 2), description="Shortest and longest run of words that is a feature.")
    )
    min_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=0, le=1)] = Field(
        default=1,
        description="Fewest training documents a word is in: a number, eased on corpora below 500 "
        "times as many documents or 25 times as many a class, or a share.",
    )
    sublinear_tf: bool = Field(default=True, description="Use 1 + ln(count) for the count.")
    run_weight: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="What a run of several words is times, where single words are features too: "
        "it says again what its words say.",
    )
    smooth_idf: bool = Field(
        default=True, description="Act as if one more document held every n-gram."
    )
    norm: Literal["l1", "l2"] | None = Field(
        default="l2",
        description="Length that every document is scaled to, before that its words and its "
        "characters each.",
    )


class TfidfExtractor(NgramExtractor[TfidfParameters]):
    """Weighs n-gram counts by inverse document frequency in the training documents.

    Source: K. Spärck Jones, "A statistical interpretation of term specificity and its application
    in retrieval", Journal of Documentation 28(1), 1972. The smoothing is scikit-learn's:
    ``ln((1 + n) / (1 + df)) + 1``, without it ``ln(n / df) + 1``. Weights of runs of several words
    are ``run_weight`` times that.
    """

    def __init__(self, parameters: TfidfParameters, context: PluginContext) -> None:
        super().__init__(parameters, context)
        self._idf: NDArray[np.float32] = np.empty(0, np.float32)
        self._weights: NDArray[np.float64] = np.empty(0)

    def fit_transform(self, documents: TokenMatrix) -> sparse.csr_array:
        """Weigh the training documents; see :meth:`lexiclass.FeatureExtractor.fit_transform`."""
        counts = self._choose(documents)
        self._weights = self._features.weights(self._parameters.run_weight)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        self._idf = self._inverse(frequency, len(documents)).astype(np.float32)
        return self._weigh(counts)

    def relearned(self, rows: Rows, kept: NDArray[np.bool_]) -> Relearn:
        """Leave out the n-grams that too few of the documents kept have, and weigh the others."""
        frequency = kept_frequency(rows, kept)
        idf = self._inverse(frequency, int(np.count_nonzero(kept)))
        factors = np.where(frequency >= self._fewest, idf / self._idf, 0)
        return scaled_columns(
            factors.astype(np.float32), self._parameters.norm, self._features.ends
        )

    def save(self, directory: Path) -> None:
        """Write the vocabulary and the weights."""
        super().save(directory)
        write_arrays(directory / "idf.safetensors", {"idf": self._idf})

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        super().load(directory)
        path = directory / "idf.safetensors"
        self._idf = read_arrays(path, {"idf": (np.float32, 1)})["idf"]
        if len(self._idf) != self._features.num_features:
            raise ModelCorrupt(path.name, "not one weight per feature")
        if not (np.isfinite(self._idf) & (self._idf > 0)).all():
            raise ModelCorrupt(path.name, "weights that no n-gram can have")

    def _inverse(self, frequency: NDArray[np.int64], num_documents: int) -> NDArray[np.float64]:
        smooth = int(self._parameters.smooth_idf)
        # Of what no document has there is no use, but a number all the same.
        known = np.maximum(smooth + frequency, 1)
        return np.asarray((np.log((smooth + num_documents) / known) + 1) * self._weights)

    def _weigh(self, counts: sparse.csr_array) -> sparse.csr_array:
        if self._parameters.sublinear_tf:
            counts.data = 1 + np.log(counts.data)
        counts.data *= self._idf[counts.indices]
        return scale_rows(counts, self._parameters.norm, self._features.ends)
