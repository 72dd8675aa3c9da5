"""Documents as means of word vectors, which are learned with the parts of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import EmptyVocabulary, InvalidParameters, ModelCorrupt
from lexiclass.plugins.base import FeatureExtractor, PluginContext
from lexiclass.plugins.features.fasttext.vectors import (
    Vectors,
    WordVectors,
    read_text_vectors,
    weighted_means,
)
from lexiclass.plugins.features.ngrams.selection import eased_minimum
from lexiclass.plugins.features.parameters import FastTextParameters
from lexiclass.plugins.pretrained.models import find_file
from lexiclass.plugins.tokenizers.batches import well_formed
from lexiclass.serialization import read_arrays, write_arrays
from lexiclass.tokens import TokenMatrix

# The a of a / (a + p) in Arora et al., "A Simple but Tough-to-Beat Baseline", ICLR 2017.
_SIF = 1e-3


class FastTextExtractor(FeatureExtractor):
    """Averages the vectors of a document's words; unknown words get those of their parts.

    The mean of the training documents is subtracted: word vectors share a large common part, which
    would hide their differences from a linear classifier. A document without a known word is zeros.

    Vectors are learned without labels from the training documents, or read from a file.

    Source: P. Bojanowski, E. Grave, A. Joulin, T. Mikolov, "Enriching Word Vectors with Subword
    Information", TACL 5, 2017.
    """

    def __init__(self, parameters: FastTextParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._context = context
        self._vectors: WordVectors | None = None
        # One weight per known word, and one for all unknown ones at the end.
        self._weights: NDArray[np.float32] = np.empty(0, np.float32)
        self._center: NDArray[np.float32] = np.empty(0, np.float32)

    def fit_transform(self, documents: TokenMatrix) -> Vectors:
        """Learn or read the vectors, and average them.

        Raises:
            EmptyVocabulary: If no word is left.
            InvalidParameters: If the file is no word vectors, or training diverges.
        """
        terms = well_formed(documents.terms)
        documents = TokenMatrix(terms, documents.ids, documents.indptr)
        self._vectors = self._learn(documents) if self._parameters.path is None else self._read()
        self._weights = self._weigh(documents, self._vectors)
        self._center = np.zeros(self._vectors.dimension, dtype=np.float32)
        means = self.transform(documents)
        self._center = means.mean(axis=0, dtype=np.float64).astype(np.float32)
        return self._centered(means)

    def transform(self, documents: TokenMatrix) -> Vectors:
        """Average the vectors of every document's words: (n, num_features) float32.

        Raises:
            InvalidParameters: Before :meth:`fit_transform`.
        """
        known = self._trained()
        used, positions = np.unique(documents.ids, return_inverse=True)
        terms = well_formed([documents.terms[term] for term in used.tolist()])
        rows = known.rows_of(terms)
        unknown = np.flatnonzero(rows < 0)
        vectors = np.empty((len(used), known.dimension), dtype=np.float32)
        vectors[rows >= 0] = known.words[rows[rows >= 0]]
        vectors[unknown] = known.compose([terms[row] for row in unknown.tolist()])
        # Terms in an order of their own, so that sums do not depend on the batch.
        order = np.array(sorted(range(len(terms)), key=terms.__getitem__), dtype=np.int64)
        columns = np.empty(len(order), dtype=np.int64)
        columns[order] = np.arange(len(order))
        counts = sparse.csr_array(
            (np.ones(len(positions), np.float32), columns[positions], documents.indptr),
            shape=(len(documents), len(used)),
            copy=True,  # summed in place, and the documents are the caller's
        )
        counts.sum_duplicates()
        return self._centered(weighted_means(counts, vectors[order], self._weights[rows[order]]))

    def num_features(self) -> int:
        """Return the length of a vector."""
        return 0 if self._vectors is None else self._vectors.dimension

    def save(self, directory: Path) -> None:
        """Write words, vectors, weights and the mean document."""
        self._trained().save(directory)
        arrays = {"weights": self._weights, "center": self._center}
        write_arrays(directory / "weights.safetensors", arrays)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        self._vectors = WordVectors.load(
            directory,
            min_n=self._parameters.min_n,
            max_n=self._parameters.max_n,
            num_buckets=self._parameters.buckets,
        )
        path = directory / "weights.safetensors"
        arrays = read_arrays(path, {"weights": (np.float32, 1), "center": (np.float32, 1)})
        self._weights, self._center = arrays["weights"], arrays["center"]
        if len(self._weights) != len(self._vectors.terms) + 1:
            raise ModelCorrupt(path.name, "not one weight per word")
        if not (np.isfinite(self._weights) & (self._weights >= 0)).all():
            raise ModelCorrupt(path.name, "weights that no word can have")
        if len(self._center) != self._vectors.dimension or not np.isfinite(self._center).all():
            raise ModelCorrupt(path.name, "the mean document is none")

    def _learn(self, documents: TokenMatrix) -> WordVectors:
        # Here, because only training needs gensim: a process that predicts starts without.
        from lexiclass.plugins.features.fasttext.training import (  # noqa: PLC0415
            train_word_vectors,
        )

        min_count = eased_minimum(self._parameters.min_count, len(documents))
        vectors = train_word_vectors(
            documents.to_lists(),
            self._parameters,
            min_count=min_count,
            seed=self._context.seed,
        )
        if vectors is None:
            raise EmptyVocabulary(
                f"No word vector can be learned of {len(documents)} documents with "
                f"{len(documents.ids)} tokens: a word must occur {min_count} times. Check that the "
                "documents hold text, or lower min_count.",
                details={"num_documents": len(documents), "num_tokens": len(documents.ids)},
            )
        return vectors

    def _read(self) -> WordVectors:
        path = str(self._parameters.path)
        try:
            terms, words = read_text_vectors(
                find_file(path, self._context), max_words=self._parameters.max_words
            )
        except (OSError, ValueError) as error:
            raise InvalidParameters(
                f"The word vectors {path!r} can't be used: {error}. Give a textual .vec file.",
                details={"path": path, "reason": str(error)},
            ) from error
        subwords = np.empty((0, words.shape[1]), np.float32)
        return WordVectors(
            terms=terms, words=words, subwords=subwords, min_n=1, max_n=0, num_buckets=1
        )

    def _weigh(self, documents: TokenMatrix, known: WordVectors) -> NDArray[np.float32]:
        """Return the weight of every known word, and of unknown ones."""
        weights = np.zeros(len(known.terms) + 1)
        rows = known.rows_of(documents.terms)
        counts = documents.counts()
        if self._parameters.weighting == "idf":
            frequency = np.bincount(counts.indices, minlength=counts.shape[1])
            weights[rows] = frequency
            weights[-1] = 0
            return (np.log((1 + len(documents)) / (1 + weights)) + 1).astype(np.float32)
        if self._parameters.weighting == "sif":
            weights[rows] = np.asarray(counts.sum(axis=0)) / max(1, len(documents.ids))
            weights[-1] = 0
            return (_SIF / (_SIF + weights)).astype(np.float32)
        return np.ones(len(weights), dtype=np.float32)

    def _centered(self, means: Vectors) -> Vectors:
        return np.where(means.any(axis=1, keepdims=True), means - self._center, means)

    def _trained(self) -> WordVectors:
        if self._vectors is None:
            raise InvalidParameters(
                "The feature extractor 'fasttext' has no vectors yet; train the pipeline first."
            )
        return self._vectors
