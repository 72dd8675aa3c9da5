"""Familiarity by the share of a document's words that the model knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.familiarity.conformal import Reference, Scores
from lexiclass.folds import Keys
from lexiclass.tokens import TokenMatrix

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordFamiliarity:
    """Compares how many words of a document are known with how many are in training documents.

    The score is by how many standard deviations fewer or more words are known than expected, where
    the share of known words is that of the training documents on average, and differs from document
    to document as a beta distribution does (J. Skellam, "A Probability Distribution Derived from
    the Binomial Distribution by Regarding the Probability of Success as Variable Between the Sets
    of Trials", Journal of the Royal Statistical Society B 10(2), 1948). So a long document with
    some unknown words too many is told as well as a short one with few that are known; by the bare
    share, short documents of training hide long ones of another kind.

    A word of a training document counts as known if the model would know it without that document
    and those nearly like it, that is, if enough others have it. So no document vouches for itself.

    Attributes:
        share: Share of words that are known of a new document like the training documents.
        correlation: By how much more than by chance documents differ in it: 0 as dice do, 1 if
            of each document all words are known or none.
        reference: Scores of the training documents.
    """

    kind: ClassVar[str] = "words"
    share: float
    correlation: float
    reference: Reference

    @classmethod
    def fit(cls, documents: TokenMatrix, is_known: NDArray[np.bool_], keys: Keys) -> Self:
        """Learn from the training documents.

        Args:
            documents: The n training documents.
            is_known: (num_terms,) whether the model knows a term.
            keys: (n,) numbers that are equal for documents that are the same or nearly so.
        """
        known = known_of_others(documents, is_known, keys)
        return cls.of_counts(known, documents.lengths)

    @classmethod
    def of_counts(cls, known: Counts, words: Counts) -> Self:
        """Learn from (n,) numbers of known words and of words of documents that are as new."""
        with_words = words > 0
        known, words = known[with_words], words[with_words]
        share = (int(known.sum()) + 1) / (int(words.sum()) + 2)
        # The order of the documents must not change how these sums are rounded.
        order = np.lexsort((known, words))
        known, words = known[order], words[order]
        by_chance = words * share * (1 - share)
        beyond = float((np.square(known - words * share) - by_chance).sum())
        most = float((by_chance * (words - 1)).sum())
        correlation = min(max(beyond / most, 0.0), 1.0) if most > 0 else 0.0
        scores = _scores(known, words, share, correlation)
        return cls(share=share, correlation=correlation, reference=Reference.of(scores))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restore what :meth:`state` returned.

        Raises:
            ValueError: If the numbers are out of range.
        """
        found = cls(
            share=float(state["share"]),
            correlation=float(state["correlation"]),
            reference=Reference.from_state(state["reference"]),
        )
        if not (0 < found.share < 1 and 0 <= found.correlation <= 1):
            raise ValueError("shares out of range")
        return found

    def p_values(self, known: Counts, words: Counts) -> Scores:
        """Return (n,) p-values of documents with so many known words of so many.

        One without any word has nothing that is familiar: the lowest there is.
        """
        return self.reference.p_values(_scores(known, words, self.share, self.correlation))

    def state(self) -> dict[str, Any]:
        """Return all numbers, as JSON."""
        return {
            "kind": self.kind,
            "share": self.share,
            "correlation": self.correlation,
            "reference": self.reference.state(),
        }


def known_of_others(documents: TokenMatrix, is_known: NDArray[np.bool_], keys: Keys) -> Counts:
    """Return (n,) how many words of each training document would be known without it.

    Args:
        documents: The n training documents.
        is_known: (num_terms,) whether the model, which has seen them, knows a term.
        keys: (n,) numbers that are equal for documents that are the same or nearly so, none of
            which has a say for another.
    """
    counts = documents.counts()
    presence = sparse.csr_array(
        (np.ones(counts.nnz, dtype=np.int64), counts.indices, counts.indptr), shape=counts.shape
    )
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    # What the model asks of a word, as far as these documents show.
    used = is_known & (frequency > 0)
    fewest = int(frequency[used].min()) if used.any() else 1
    others = frequency[counts.indices] - _in_group(presence, keys)
    cells = np.where(is_known[counts.indices] & (others >= fewest), counts.data, 0)
    before = np.concatenate(([0], np.cumsum(cells, dtype=np.int64)))
    return np.diff(before[counts.indptr])


def _in_group(presence: sparse.csr_array, keys: Keys) -> Counts:
    """Return for each cell how many documents that are the same have its term, itself included."""
    _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    found = np.ones(presence.nnz, dtype=np.int64)
    lengths = np.diff(presence.indptr)
    cells = np.repeat(sizes[groups] > 1, lengths)
    of_cells = np.repeat(groups, lengths)[cells]
    pairs = of_cells * presence.shape[1] + presence.indices[cells]
    _, pair, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    found[cells] = counts[pair]
    return found


def _scores(known: Counts, words: Counts, share: float, correlation: float) -> Scores:
    spread = share * (1 - share) * words * (1 + (words - 1) * correlation)
    # No document's score is as low as that of one without a word.
    lowest = np.full(len(words), -np.inf)
    np.divide(known - words * share, np.sqrt(spread), out=lowest, where=words > 0)
    return lowest
