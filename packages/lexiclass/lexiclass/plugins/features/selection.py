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
from lexiclass.plugins.features.keys import KeyTable, index_type, pair_counts
from lexiclass.plugins.features.ngrams import NgramVocabulary, extend, map_columns, renumbering
from lexiclass.tokens import TokenMatrix, offsets

# An absolute min_df is meant for large corpora. It applies in full once it is at most these shares
# of the documents and of those of a class, and shrinks with smaller ones: 999 documents keep every
# word at min_df=2, as do classes of 49. Of eight public sets with 3 to 50 documents a class, six
# gain by every word, up to 30 points of accuracy, and two of long news wires lose up to 2.6.
_MIN_DF_MAX_SHARE = 0.002
_MIN_DF_MAX_SHARE_OF_A_CLASS = 0.04

# The same for words that a vector is learned of.
_MIN_COUNT_MAX_SHARE = 0.02


class NgramParameters(BaseModel):
    """Which n-grams are features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ngram_range: tuple[Annotated[int, Field(ge=1, le=5)], Annotated[int, Field(ge=1, le=5)]] = (
        Field(default=(1, 1), description="Shortest and longest run of words that is a feature.")
    )
    min_df: Annotated[int, Field(ge=1)] | Annotated[float, Field(ge=0, le=1)] = Field(
        default=2,
        description="Fewest training documents a feature is in: a number, eased on corpora below "
        "500 times as many documents or 25 times as many a class, or a share.",
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

    def document_limits(self, num_documents: int, num_classes: int) -> tuple[int, int]:
        """Return the fewest and most documents a feature may be in, in this corpus."""
        if isinstance(self.min_df, float):
            fewest = max(1, ceil(self.min_df * num_documents))
        else:
            share = min(_MIN_DF_MAX_SHARE, _MIN_DF_MAX_SHARE_OF_A_CLASS / num_classes)
            fewest = max(1, min(self.min_df, int(share * num_documents)))
        most = int(self.max_df * (num_documents if isinstance(self.max_df, float) else 1))
        return fewest, max(fewest, most)


def eased_minimum(minimum: int, num_documents: int) -> int:
    """Return the fewest occurrences to ask for in a corpus of this size."""
    return max(1, min(minimum, int(_MIN_COUNT_MAX_SHARE * num_documents)))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The n-grams of one length that are frequent enough.

    Attributes:
        keys: Packed key of every node, sorted; see :mod:`lexiclass.plugins.features.ngrams`.
        counts: (n, num_nodes) how often each is in each document.
    """

    keys: NDArray[np.int64]
    counts: sparse.csc_array

    @classmethod
    def single(cls, tokens: TokenMatrix, fewest: int) -> tuple[Self, NDArray[np.int64]]:
        """Keep the terms that are in at least ``fewest`` documents, sorted.

        Returns:
            The level, whose keys are the numbers of the terms, and the node of every term, or -1.
        """
        counts = tokens.counts()
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        kept = sorted(np.flatnonzero(documents >= fewest).tolist(), key=tokens.terms.__getitem__)
        nodes = np.full(counts.shape[1], -1, dtype=np.int64)
        nodes[kept] = np.arange(len(kept))
        matrix = map_columns(counts, nodes, len(kept)).tocsc()
        return cls(np.array(kept, dtype=np.int64), matrix), nodes

    @classmethod
    def packed(
        cls,
        packed: NDArray[np.int64],
        rows: NDArray[np.integer],
        num_documents: int,
        fewest: int,
    ) -> Self:
        """Keep the keys that are in at least ``fewest`` documents.

        Args:
            packed: (m,) key of every position where there is one.
            rows: (m,) document of each.
            num_documents: Number of all documents.
            fewest: Fewest documents.
        """
        keys, documents, counts = pair_counts(packed, rows, num_documents)
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        sizes = np.diff(first, append=len(keys))
        frequent = sizes >= fewest
        kept = np.repeat(frequent, sizes)
        indptr = offsets(sizes[frequent])
        dtype = index_type(int(indptr[-1]), num_documents)
        matrix = sparse.csc_array(
            (
                counts[kept].astype(np.float32),
                documents[kept].astype(dtype),
                indptr.astype(dtype),
            ),
            shape=(num_documents, len(indptr) - 1),
        )
        return cls(keys[first][frequent], matrix)

    @property
    def documents(self) -> NDArray[np.int64]:
        """(num_nodes,) number of documents every node is in."""
        return np.diff(self.counts.indptr)


def select_ngrams(
    tokens: TokenMatrix, parameters: NgramParameters, num_classes: int = 1
) -> tuple[NgramVocabulary, sparse.csr_array]:
    """Choose the features and count them in the training documents.

    An n-gram is in no more documents than any of its parts, so what is too rare is dropped before
    it is extended.

    Args:
        tokens: The training documents.
        parameters: What to keep.
        num_classes: How many classes they have.

    Returns:
        The vocabulary, and (n, num_features) float32 counts equal to ``vocabulary.counts(tokens)``.

    Raises:
        EmptyVocabulary: If nothing is left.
    """
    fewest, most = parameters.document_limits(len(tokens), num_classes)
    shortest, longest = parameters.ngram_range
    levels = _levels(tokens, longest, fewest)
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
    blocks = [
        level.counts if (column >= 0).all() else level.counts[:, np.flatnonzero(column >= 0)]
        for level, column in zip(levels, columns, strict=True)
    ]
    counts = sparse.csr_array(sparse.hstack(blocks, format="csc").tocsr())
    terms = list(map(tokens.terms.__getitem__, levels[0].keys.tolist()))
    keys = tuple(level.keys for level in levels[1:])
    return NgramVocabulary(terms, keys, columns).trimmed(), counts


def _levels(tokens: TokenMatrix, longest: int, fewest: int) -> list[_Level]:
    first, node_of_term = _Level.single(tokens, fewest)
    levels = [first]
    if longest == 1:
        return levels
    rows, ids = tokens.rows, node_of_term[tokens.ids]
    nodes = ids
    for length in range(2, longest + 1):
        at, packed = extend(nodes, ids, rows, length, len(first.keys))
        level = _Level.packed(packed, rows[: len(at)][at], len(tokens), fewest)
        levels.append(level)
        if length < longest:
            nodes = np.full(len(at), -1, dtype=np.int64)
            nodes[at] = KeyTable(level.keys).find(packed)
    return levels


def _number_columns(
    candidates: Sequence[NDArray[np.bool_]], levels: Sequence[_Level], max_features: int | None
) -> tuple[NDArray[np.int64], ...]:
    """Number the chosen nodes of all levels 0, 1, ...; the others get -1."""
    chosen = np.concatenate(candidates)
    if max_features is not None and np.count_nonzero(chosen) > max_features:
        totals = np.concatenate([level.counts.sum(axis=0) for level in levels])
        # A stable sort breaks ties by level and then by term, so the choice is reproducible.
        best = np.argsort(np.where(chosen, -totals, 1), kind="stable")[:max_features]
        chosen = np.zeros_like(chosen)
        chosen[best] = True
    ends = np.cumsum([len(level) for level in candidates])
    return tuple(np.split(renumbering(chosen)[:-1], ends[:-1]))
