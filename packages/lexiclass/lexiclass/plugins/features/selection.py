"""Choosing which n-grams of the training documents become features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import sparse

from lexiclass.errors import EmptyVocabulary
from lexiclass.plugins.features.ngrams import (
    NgramVocabulary,
    count_matrix,
    extend,
    feature_counts,
    renumbering,
)
from lexiclass.tokens import TokenMatrix

# An absolute min_df is meant for large corpora. It applies in full once it is at most this share
# of the documents and shrinks with smaller ones, so 2 to 99 documents keep every word at min_df=2.
_MIN_DF_MAX_SHARE = 0.02


class NgramParameters(BaseModel):
    """Which n-grams are features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ngram_range: tuple[Annotated[int, Field(ge=1, le=5)], Annotated[int, Field(ge=1, le=5)]] = (
        Field(default=(1, 1), description="Shortest and longest run of words that is a feature.")
    )
    min_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=0, le=1)] = Field(
        default=2,
        description="Fewest training documents a feature is in: a number, eased on corpora below "
        "50 times as many documents, or a share.",
    )
    max_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Most training documents a feature is in: a number or a share."
    )
    max_features: int | None = Field(
        default=None, ge=1, description="Keep only this many features, the most frequent ones."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ngram_range[0] > self.ngram_range[1]:
            raise ValueError("ngram_range must go from the shorter to the longer")
        return self

    def document_limits(self, num_documents: int) -> tuple[int, int]:
        """Return the fewest and most documents a feature may be in, in this corpus."""
        if isinstance(self.min_df, float):
            fewest = max(1, ceil(self.min_df * num_documents))
        else:
            fewest = eased_minimum(self.min_df, num_documents)
        most = int(self.max_df * (num_documents if isinstance(self.max_df, float) else 1))
        return fewest, max(fewest, most)


def eased_minimum(minimum: int, num_documents: int) -> int:
    """Return the fewest documents (or occurrences) to ask for in a corpus of this size."""
    return max(1, min(minimum, int(_MIN_DF_MAX_SHARE * num_documents)))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The n-grams of one length that are frequent enough.

    Attributes:
        keys: Packed key of every node, sorted; see :mod:`lexiclass.plugins.features.ngrams`.
        rows: Document of every position.
        nodes: Node that starts at every position, or -1.
        documents: Number of documents every node is in.
    """

    keys: NDArray[np.int64]
    rows: NDArray[np.int32]
    nodes: NDArray[np.int64]
    documents: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        keys: NDArray[np.int64],
        rows: NDArray[np.int32],
        nodes: NDArray[np.int64],
        fewest: int,
    ) -> Self:
        """Keep the nodes that are in at least ``fewest`` documents."""
        present = nodes >= 0
        shape = (int(rows[-1]) + 1 if len(rows) else 0, len(keys))
        distinct = count_matrix(rows[present], nodes[present], shape)
        documents = np.bincount(distinct.indices, minlength=len(keys))
        frequent = documents >= fewest
        return cls(keys[frequent], rows, renumbering(frequent)[nodes], documents[frequent])

    def next(self, first: _Level, fewest: int) -> _Level:
        """Extend every n-gram by the term after it."""
        length = len(first.nodes) - len(self.nodes) + 2
        at, packed = extend(self.nodes, first.nodes, first.rows, length, len(first.keys))
        nodes = np.full(len(at), -1, dtype=np.int64)
        keys, nodes[at] = np.unique(packed, return_inverse=True)
        return _Level.of(keys, first.rows[: len(at)], nodes, fewest)

    @property
    def totals(self) -> NDArray[np.int64]:
        """How often every node occurs."""
        return np.bincount(self.nodes[self.nodes >= 0], minlength=len(self.keys))


def select_ngrams(
    tokens: TokenMatrix, parameters: NgramParameters
) -> tuple[NgramVocabulary, sparse.csr_array]:
    """Choose the features and count them in the training documents.

    An n-gram is in no more documents than any of its parts, so what is too rare is dropped before
    it is extended.

    Args:
        tokens: The training documents.
        parameters: What to keep.

    Returns:
        The vocabulary, and (n, num_features) float32 counts equal to ``vocabulary.counts(tokens)``.

    Raises:
        EmptyVocabulary: If nothing is left.
    """
    fewest, most = parameters.document_limits(len(tokens))
    shortest, longest = parameters.ngram_range
    ranks = np.empty(len(tokens.terms), dtype=np.int64)
    order = sorted(range(len(tokens.terms)), key=tokens.terms.__getitem__)
    ranks[order] = np.arange(len(order))
    levels = [_Level.of(np.arange(len(order)), tokens.rows, ranks[tokens.ids], fewest)]
    for _ in range(1, longest):
        levels.append(levels[-1].next(levels[0], fewest))

    candidates = [
        (level.documents <= most) & (length >= shortest) for length, level in enumerate(levels, 1)
    ]
    columns = _number_columns(candidates, levels, parameters.max_features)
    if all((level < 0).all() for level in columns):
        raise EmptyVocabulary(
            f"No feature is left of {len(tokens)} documents with {len(tokens.ids)} tokens: a run "
            f"of {shortest} to {longest} words must be in {fewest} to {most} documents. Check "
            "that the documents hold text, or widen min_df, max_df or ngram_range.",
            details={
                "num_documents": len(tokens),
                "num_tokens": len(tokens.ids),
                "min_documents": fewest,
                "max_documents": most,
            },
        )
    positions = [(level.rows, level.nodes) for level in levels]
    counts = feature_counts(positions, columns, len(tokens))
    terms = [tokens.terms[order[rank]] for rank in levels[0].keys.tolist()]
    keys = tuple(level.keys for level in levels[1:])
    return NgramVocabulary(terms, keys, columns).trimmed(), counts


def _number_columns(
    candidates: Sequence[NDArray[np.bool_]], levels: Sequence[_Level], max_features: int | None
) -> tuple[NDArray[np.int64], ...]:
    """Number the chosen nodes of all levels 0, 1, ...; the others get -1."""
    chosen = np.concatenate(candidates)
    if max_features is not None and np.count_nonzero(chosen) > max_features:
        totals = np.concatenate([level.totals for level in levels])
        # A stable sort breaks ties by level and then by term, so the choice is reproducible.
        best = np.argsort(np.where(chosen, -totals, 1), kind="stable")[:max_features]
        chosen = np.zeros_like(chosen)
        chosen[best] = True
    ends = np.cumsum([len(level) for level in candidates])
    return tuple(np.split(renumbering(chosen)[:-1], ends[:-1]))
