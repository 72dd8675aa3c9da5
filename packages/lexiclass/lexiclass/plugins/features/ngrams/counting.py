"""What ``bow`` and ``tfidf`` count: runs of words, runs of characters inside them, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import EmptyVocabulary
from lexiclass.plugins.features.ngrams.characters import CharacterNgrams, select_characters
from lexiclass.plugins.features.ngrams.selection import (
    FeatureKind,
    NgramParameters,
    select_words,
)
from lexiclass.plugins.features.ngrams.vocabulary import NgramVocabulary
from lexiclass.tokens import TokenMatrix

Kind = NgramVocabulary | CharacterNgrams


@dataclass(frozen=True, eq=False)
class NgramFeatures:
    """The features: runs of words, of characters, or both, one kind after the other."""

    kinds: tuple[Kind, ...] = ()

    @classmethod
    def choose(
        cls, tokens: TokenMatrix, parameters: NgramParameters, num_classes: int
    ) -> tuple[Self, sparse.csr_array]:
        """Choose the features and count them in the training documents.

        Returns:
            The features, and (n, num_features) float32 counts equal to ``features.counts(tokens)``.

        Raises:
            EmptyVocabulary: If nothing is left.
        """
        limits = parameters.document_limits(
            len(tokens),
            num_classes,
            of="characters" if parameters.analyzer == "char_wb" else "words",
        )
        found: list[tuple[Kind, sparse.csr_array]] = []
        if parameters.analyzer != "char_wb":
            found.append(select_words(tokens, parameters, num_classes))
        if parameters.analyzer != "word":
            found.append(
                select_characters(
                    tokens,
                    parameters.char_ngram_range,
                    parameters.document_limits(len(tokens), num_classes, of="characters"),
                    parameters.max_char_features,
                )
            )
        features = cls(tuple(kind for kind, _ in found))
        if not features.num_features:
            raise _empty(tokens, parameters, limits)
        return features, _side_by_side([counts for _, counts in found])

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return sum(kind.num_features for kind in self.kinds)

    @property
    def ends(self) -> tuple[int, ...]:
        """Number of the column after the last one of each kind."""
        return tuple(np.cumsum([kind.num_features for kind in self.kinds]).tolist())

    def fewest(
        self, parameters: NgramParameters, num_documents: int, num_classes: int
    ) -> NDArray[np.int64]:
        """Return (num_features,) the fewest documents that each had to be in."""

        def limit(of: FeatureKind) -> int:
            return parameters.document_limits(num_documents, num_classes, of=of)[0]

        limits = np.full(self.num_features, limit("characters"))
        if isinstance(self.kinds[0], NgramVocabulary):
            limits[: self.ends[0]] = limit("runs")
            limits[: self._num_words] = limit("words")
        return limits

    def weights(self, of_runs: float) -> NDArray[np.float64]:
        """Return (num_features,) ``of_runs`` for runs of several words and 1 for the others.

        Where single words are no features, runs of them are what all are compared with.
        """
        weights = np.ones(self.num_features)
        if self._num_words:
            weights[self._num_words : self.ends[0]] = of_runs
        return weights

    @property
    def _num_words(self) -> int:
        """How many single words are features; theirs are the first columns."""
        words = self.kinds[0]
        return (
            int(np.count_nonzero(words.columns[0] >= 0))
            if isinstance(words, NgramVocabulary)
            else 0
        )

    def counts(self, tokens: TokenMatrix) -> sparse.csr_array:
        """Count the features in every document: (n, num_features) float32, indices sorted."""
        return _side_by_side([kind.counts(tokens) for kind in self.kinds])

    def known_words(self, tokens: TokenMatrix) -> NDArray[np.int64] | None:
        """Return (n,) how many tokens of each document are words of the vocabulary.

        ``None`` without such words: characters know nearly every word of a script.
        """
        words = self.kinds[0]
        return words.known_words(tokens) if isinstance(words, NgramVocabulary) else None

    def names(self, columns: NDArray[np.integer] | None = None) -> list[str]:
        """Return the features that columns count; in a run of characters a blank is a word's edge.

        The columns are given in ascending order; all if they are not.
        """
        columns = np.arange(self.num_features) if columns is None else columns
        by_kind = np.split(columns, np.searchsorted(columns, self.ends))
        firsts = (0, *self.ends)
        return [
            name
            for kind, first, of_kind in zip(self.kinds, firsts, by_kind, strict=False)
            for name in kind.names(of_kind - first)
        ]

    def save(self, directory: Path) -> None:
        """Write the vocabularies."""
        for kind in self.kinds:
            kind.save(directory)

    @classmethod
    def load(cls, directory: Path, parameters: NgramParameters) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not make what the parameters ask for.
        """
        kinds: list[Kind] = []
        if parameters.analyzer != "char_wb":
            kinds.append(NgramVocabulary.load(directory))
        if parameters.analyzer != "word":
            kinds.append(CharacterNgrams.load(directory))
        return cls(tuple(kinds))


def _side_by_side(counts: Sequence[sparse.csr_array]) -> sparse.csr_array:
    return counts[0] if len(counts) == 1 else sparse.csr_array(sparse.hstack(counts, format="csr"))


def _empty(
    tokens: TokenMatrix, parameters: NgramParameters, limits: tuple[int, int]
) -> EmptyVocabulary:
    wanted = {
        "word": [(parameters.ngram_range, "words", "ngram_range")],
        "char_wb": [(parameters.char_ngram_range, "characters", "char_ngram_range")],
    }
    wanted["both"] = wanted["word"] + wanted["char_wb"]
    runs = " or of ".join(
        f"{shortest} to {longest} {kind}"
        for (shortest, longest), kind, _ in wanted[parameters.analyzer]
    )
    ranges = " or ".join(name for *_, name in wanted[parameters.analyzer])
    fewest, most = limits
    return EmptyVocabulary(
        f"No feature is left of {len(tokens)} documents with {len(tokens.ids)} tokens: a run "
        f"of {runs} must be in {fewest} to {most} documents. Check "
        f"that the documents hold text, or widen min_df, max_df or {ranges}.",
        details={
            "num_documents": len(tokens),
            "num_tokens": len(tokens.ids),
            "min_documents": fewest,
            "max_documents": most,
        },
    )
