"""Choosing which runs of words of the training documents become features."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import sparse

from lexiclass.plugins.features.ngrams.keys import KeyTable
from lexiclass.plugins.features.ngrams.levels import Level, number_columns
from lexiclass.plugins.features.ngrams.vocabulary import NgramVocabulary, extend
from lexiclass.plugins.parameters import Parameters
from lexiclass.tokens import TokenMatrix

# An absolute min_df is meant for large corpora. It applies in full once it is at most these shares
# of the documents and of those of a class, and shrinks with smaller ones: 999 documents keep every
# word at min_df=2, as do classes of 49. Of eight public sets with 3 to 50 documents a class, six
# gain by every word, up to 30 points of accuracy, and two of long news wires lose up to 2.6.
_MIN_DF_MAX_SHARE = 0.002
_MIN_DF_MAX_SHARE_OF_A_CLASS = 0.04

# Runs of several words are rarer: 4,999 documents keep all of them, where they keep all words.
_MIN_DF_MAX_SHARE_OF_RUNS = 0.0004

#: Single words, runs of several words, runs of characters.
FeatureKind = Literal["words", "runs", "characters"]

# The same for words that a vector is learned of.
_MIN_COUNT_MAX_SHARE = 0.02


class NgramParameters(Parameters):
    """Which n-grams are features."""

    ngram_range: tuple[Annotated[int, Field(ge=1, le=5)], Annotated[int, Field(ge=1, le=5)]] = (
        Field(default=(1, 1), description="Shortest and longest run of words that is a feature.")
    )
    min_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=0, le=1)] = Field(
        default=2,
        description="Fewest training documents a feature is in: a number, eased on corpora below "
        "500 times as many documents or 25 times as many a class, or a share.",
    )
    min_df_runs: Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=0, le=1)] = Field(
        default=2,
        description="The same for runs of several words and of characters, where min_df asks for "
        "less; for runs of words eased below 2,500 times as many documents.",
    )
    max_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Most training documents a feature is in: a number or a share."
    )
    max_features: int | None = Field(
        default=None,
        ge=1,
        description="Keep only this many runs of words, the most frequent ones.",
    )
    analyzer: Literal["word", "char_wb", "both"] = Field(
        default="word",
        description="Features are runs of words, or runs of characters inside words and at their "
        "edges (char_wb), or both.",
    )
    char_ngram_range: tuple[
        Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]
    ] = Field(
        default=(2, 5),
        description="Shortest and longest run of characters that is a feature; each edge of a word "
        "counts as one.",
    )
    max_char_features: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Keep only this many runs of characters, the most frequent ones.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("ngram_range", "char_ngram_range"):
            shortest, longest = getattr(self, name)
            if shortest > longest:
                raise ValueError(f"{name} must go from the shorter to the longer")
        return self

    def document_limits(
        self,
        num_documents: int,
        num_classes: int,
        *,
        of: FeatureKind = "words",
    ) -> tuple[int, int]:
        """Return the fewest and most documents a feature may be in, in this corpus."""
        share = min(_MIN_DF_MAX_SHARE, _MIN_DF_MAX_SHARE_OF_A_CLASS / num_classes)
        fewest = _fewest(self.min_df, num_documents, share)
        if of != "words":
            share = min(share, _MIN_DF_MAX_SHARE_OF_RUNS) if of == "runs" else share
            fewest = max(fewest, _fewest(self.min_df_runs, num_documents, share))
        most = int(self.max_df * (num_documents if isinstance(self.max_df, float) else 1))
        return fewest, max(fewest, most)


def _fewest(minimum: float, num_documents: int, max_share: float) -> int:
    if not isinstance(minimum, int):
        return max(1, ceil(minimum * num_documents))
    return max(1, min(minimum, int(max_share * num_documents)))


def eased_minimum(minimum: int, num_documents: int) -> int:
    """Return the fewest occurrences to ask for in a corpus of this size."""
    return max(1, min(minimum, int(_MIN_COUNT_MAX_SHARE * num_documents)))


def select_words(
    tokens: TokenMatrix, parameters: NgramParameters, num_classes: int = 1
) -> tuple[NgramVocabulary, sparse.csr_array]:
    """Choose the runs of words that become features, and count them in the training documents.

    An n-gram is in no more documents than any of its parts, so what is too rare is dropped before
    it is extended.

    Returns:
        The vocabulary, perhaps of nothing, and (n, num_features) float32 counts equal to
        ``vocabulary.counts(tokens)``.
    """
    shortest, longest = parameters.ngram_range
    of_words = parameters.document_limits(
        len(tokens), num_classes, of="runs" if shortest > 1 else "words"
    )
    of_runs = parameters.document_limits(len(tokens), num_classes, of="runs")
    most = max(of_words[1], of_runs[1])
    levels = _levels(tokens, longest, of_words[0], of_runs[0])
    candidates = [
        (level.documents <= most) & (length >= shortest) for length, level in enumerate(levels, 1)
    ]
    columns = number_columns(
        candidates,
        lambda: [level.counts.sum(axis=0) for level in levels],
        parameters.max_features,
    )
    blocks = [
        level.counts if (column >= 0).all() else level.counts[:, np.flatnonzero(column >= 0)]
        for level, column in zip(levels, columns, strict=True)
    ]
    counts = sparse.csr_array(sparse.hstack(blocks, format="csc").tocsr())
    terms = list(map(tokens.terms.__getitem__, levels[0].keys.tolist()))
    keys = tuple(level.keys for level in levels[1:])
    return NgramVocabulary(terms, keys, columns).trimmed(), counts


def _levels(tokens: TokenMatrix, longest: int, fewest_of_words: int, fewest: int) -> list[Level]:
    first, node_of_term = Level.single(tokens, fewest_of_words)
    levels = [first]
    if longest == 1:
        return levels
    rows, ids = tokens.rows, node_of_term[tokens.ids]
    nodes = ids
    for length in range(2, longest + 1):
        at, packed = extend(nodes, ids, rows, length, len(first.keys))
        level = Level.packed(packed, rows[: len(at)][at], len(tokens), fewest)
        levels.append(level)
        if length < longest:
            nodes = np.full(len(at), -1, dtype=np.int64)
            nodes[at] = KeyTable(level.keys).find(packed)
    return levels
