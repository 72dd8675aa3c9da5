"""Runs of characters inside words, counted by way of the distinct words.

A document's runs of characters follow from how often it has each word: what a word is spelled of is
counted once for each distinct word, and a product of two sparse matrices does the rest. So an index
of words serves these features too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.plugins.features.ngrams.keys import KeyTable
from lexiclass.plugins.features.ngrams.levels import Level, number_columns
from lexiclass.plugins.features.ngrams.vocabulary import (
    NgramVocabulary,
    extend,
    map_columns,
    renumbering,
)
from lexiclass.tokens import TokenMatrix, offsets

# Stands at both ends of a word, so that what it begins and ends with can be told.
_EDGE = " "

_FILES = ("characters.json", "character_ngrams.safetensors")

# Documents whose runs are counted at a time while features are chosen, by their distinct words.
_BLOCK_WORDS = 500_000


@dataclass(frozen=True, eq=False)
class CharacterNgrams:
    """The runs that are features: a vocabulary whose terms are single characters."""

    runs: NgramVocabulary

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return self.runs.num_features

    def names(self, columns: NDArray[np.integer]) -> list[str]:
        """Return the runs that ascending columns count; a blank is the edge of a word."""
        return self.runs.names(columns, "")

    def counts(self, tokens: TokenMatrix) -> sparse.csr_array:
        """Count the features in every document: (n, num_features) float32, indices sorted."""
        words, terms = _words_of(tokens)
        counts = sparse.csr_array(words @ self.runs.counts(spell(terms)))
        counts.sort_indices()
        return counts

    def save(self, directory: Path) -> None:
        """Write ``characters.json`` and ``character_ngrams.safetensors``."""
        self.runs.save(directory, _FILES)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not make a vocabulary of characters.
        """
        runs = NgramVocabulary.load(directory, _FILES)
        if any(len(character) != 1 for character in runs.terms):
            raise ModelCorrupt(_FILES[0], "not a list of single characters")
        return cls(runs)


def _words_of(tokens: TokenMatrix) -> tuple[sparse.csr_array, list[str]]:
    """Return (n, m) float32 counts of the m terms that documents have, and these terms."""
    counts = tokens.counts()
    is_used = np.zeros(counts.shape[1], dtype=np.bool_)
    is_used[counts.indices] = True
    used = np.flatnonzero(is_used)
    words = map_columns(counts, renumbering(is_used), len(used))
    return words, list(map(tokens.terms.__getitem__, used.tolist()))


def spell(terms: Sequence[str]) -> TokenMatrix:
    """Return terms as documents whose tokens are characters, between two edges."""
    text = "".join(f"{_EDGE}{term}{_EDGE}" for term in terms)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    distinct, ids = np.unique(codes, return_inverse=True)
    lengths = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
    return TokenMatrix(
        list(map(chr, distinct.tolist())), ids.astype(np.int32), offsets(lengths + 2 * len(_EDGE))
    )


def select_characters(
    tokens: TokenMatrix,
    lengths: tuple[int, int],
    documents: tuple[int, int],
    max_features: int,
) -> tuple[CharacterNgrams, sparse.csr_array]:
    """Choose the runs of characters that become features, and count them.

    Given are the shortest and longest run, the fewest and most documents that a feature is in, and
    how many features are kept: the most frequent ones.

    Returns:
        The features, perhaps none, and (n, num_features) float32 counts, indices sorted, equal to
        ``features.counts(tokens)``.
    """
    chosen = _Choice(tokens, lengths, documents)
    columns = number_columns(chosen.candidates(), chosen.totals, max_features)
    parts = [
        level.counts[:, np.flatnonzero(column >= 0)]
        for level, column in zip(chosen.levels, columns, strict=True)
    ]
    counts = sparse.csr_array(chosen.words @ sparse.hstack(parts, format="csr"))
    counts.sort_indices()
    keys = tuple(level.keys for level in chosen.levels[1:])
    runs = NgramVocabulary(chosen.characters, keys, columns).trimmed()
    return CharacterNgrams(runs), counts


class _Choice:
    """What can be chosen of: the runs of characters that may be in enough documents.

    Attributes:
        words: (n, m) counts of the m distinct words of the training documents.
        levels: Runs of each length, whose ``counts`` are (m, num_nodes): in words.
    """

    def __init__(
        self, tokens: TokenMatrix, lengths: tuple[int, int], documents: tuple[int, int]
    ) -> None:
        self.words, terms = _words_of(tokens)
        self._spelled = spell(terms)
        (self._shortest, self._longest), (self._fewest, self._most) = lengths, documents
        self.levels = list(self._levels())

    @property
    def characters(self) -> list[str]:
        """The characters that are nodes of the first level."""
        return list(map(self._spelled.terms.__getitem__, self.levels[0].keys.tolist()))

    def totals(self) -> list[NDArray[np.float64]]:
        """Return (num_nodes,) for each level how often each run occurs."""
        words = np.asarray(self.words.sum(axis=0, dtype=np.float64))
        return [words @ level.counts for level in self.levels]

    def candidates(self) -> list[NDArray[np.bool_]]:
        """Return (num_nodes,) for each level whether a run is in so many documents as it may."""
        sizes = [
            len(level.keys) if length >= self._shortest else 0
            for length, level in enumerate(self.levels, start=1)
        ]
        wanted = [level.counts[:, :size] for level, size in zip(self.levels, sizes, strict=True)]
        spelling = sparse.hstack(wanted, format="csr")
        found = np.zeros(spelling.shape[1], dtype=np.int64)
        for rows in self._blocks():
            found += np.bincount((self.words[rows] @ spelling).indices, minlength=len(found))
        fits = np.split((found >= self._fewest) & (found <= self._most), np.cumsum(sizes)[:-1])
        return [
            of_level if size else np.zeros(len(level.keys), dtype=np.bool_)
            for of_level, size, level in zip(fits, sizes, self.levels, strict=True)
        ]

    def _levels(self) -> Iterator[Level]:
        """Find the runs of each length that are not in too few documents for sure."""
        in_documents = np.bincount(self.words.indices, minlength=self.words.shape[1])
        level, node = Level.single(self._spelled, 1)
        level, kept = self._pruned(level, in_documents)
        yield level
        num_characters = len(level.keys)
        ids = kept[node[self._spelled.ids]]
        rows, nodes = self._spelled.rows, ids
        for length in range(2, self._longest + 1):
            at, packed = extend(nodes, ids, rows, length, num_characters)
            level = Level.packed(packed, rows[: len(at)][at], len(self._spelled), 1)
            level, _ = self._pruned(level, in_documents)
            yield level
            nodes = np.full(len(at), -1, dtype=np.int64)
            nodes[at] = KeyTable(level.keys).find(packed)

    def _pruned(
        self, level: Level, in_documents: NDArray[np.int64]
    ) -> tuple[Level, NDArray[np.int64]]:
        """Leave out what all words with it together have too few documents for.

        Returns the rest, and the new number of each node, or -1.
        """
        most = np.concatenate(([0], np.cumsum(in_documents[level.counts.indices])))
        kept = np.diff(most[level.counts.indptr]) >= self._fewest
        rest = Level(level.keys[kept], level.counts[:, np.flatnonzero(kept)])
        return rest, renumbering(kept)

    def _blocks(self) -> Iterator[slice]:
        """Cut the documents into blocks of about as many distinct words."""
        indptr, start = self.words.indptr, 0
        while start < self.words.shape[0]:
            end = int(np.searchsorted(indptr, indptr[start] + _BLOCK_WORDS, side="right")) - 1
            end = max(start + 1, end)
            yield slice(start, end)
            start = end
