"""N-gram vocabularies as a trie in sorted arrays: no n-gram is ever a string.

Level 1 of the trie holds single terms, level k the n-grams of k terms. A node of level k is the
pair (node of its first k - 1 terms, last term), packed into one int64 key, so finding the nodes of
all positions of a corpus is one ``searchsorted`` per level. Terms and keys are sorted, which makes
columns independent of the order of documents and of hashing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import read_all_arrays, read_terms, write_arrays, write_json
from lexiclass.tokens import TokenMatrix

#: Row of every position of a corpus, and the node that starts there, -1 where there is none.
Positions = tuple[NDArray[np.int32], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class NgramVocabulary:
    """The n-grams that are features, and the prefixes that lead to them.

    Attributes:
        terms: The single terms, sorted: the nodes of level 1.
        keys: For each level from 2 on, sorted ``parent node * len(terms) + last term``.
        columns: For each level from 1 on, the feature column of every node, or -1.
    """

    terms: Sequence[str]
    keys: tuple[NDArray[np.int64], ...]
    columns: tuple[NDArray[np.int64], ...]

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return sum(int(np.count_nonzero(columns >= 0)) for columns in self.columns)

    def names(self) -> list[str]:
        """Return the n-grams in column order, terms joined by a space."""
        level = list(self.terms)
        levels = [level]
        for keys in self.keys:
            parents, last = np.divmod(keys, len(self.terms))
            level = [
                f"{level[parent]} {self.terms[term]}"
                for parent, term in zip(parents.tolist(), last.tolist(), strict=True)
            ]
            levels.append(level)
        pairs = zip(self.columns, levels, strict=True)
        return [
            name
            for columns, names in pairs
            for column, name in zip(columns.tolist(), names, strict=True)
            if column >= 0
        ]

    def counts(self, tokens: TokenMatrix) -> sparse.csr_array:
        """Count the features in every document: (n, num_features) float32, indices sorted."""
        return feature_counts(self._positions(tokens), self.columns, len(tokens))

    def trimmed(self) -> NgramVocabulary:
        """Return the same features without the nodes that lead to none of them."""
        needed = [columns >= 0 for columns in self.columns]
        pairs = [np.divmod(keys, len(self.terms)) for keys in self.keys]
        for level, (parents, last) in reversed(list(enumerate(pairs))):
            needed[level][parents[needed[level + 1]]] = True
            needed[0][last[needed[level + 1]]] = True
        numbers = [renumbering(nodes) for nodes in needed]
        num_terms = np.count_nonzero(needed[0])
        return NgramVocabulary(
            list(compress(self.terms, needed[0].tolist())),
            tuple(
                (numbers[level][parents] * num_terms + numbers[0][last])[needed[level + 1]]
                for level, (parents, last) in enumerate(pairs)
            ),
            tuple(columns[nodes] for columns, nodes in zip(self.columns, needed, strict=True)),
        )

    def _positions(self, tokens: TokenMatrix) -> Iterator[Positions]:
        rows = tokens.rows
        ids = self._term_ids(tokens)
        nodes = ids
        yield rows, nodes
        for level, keys in enumerate(self.keys, start=2):
            at, packed = extend(nodes, ids, rows, level, len(self.terms))
            nodes = np.full(len(at), -1, dtype=np.int64)
            found = np.searchsorted(keys, packed)
            # Beyond the last key the added -1, which no key equals, stands for "not there".
            nodes[at] = np.where(np.append(keys, -1)[found] == packed, found, -1)
            yield rows[: len(nodes)], nodes

    def _term_ids(self, tokens: TokenMatrix) -> NDArray[np.int64]:
        known = dict(zip(self.terms, count(), strict=False))
        used, inverse = np.unique(tokens.ids, return_inverse=True)
        words = map(tokens.terms.__getitem__, used.tolist())
        mapped = np.fromiter((known.get(word, -1) for word in words), np.int64, len(used))
        return mapped[inverse]

    def save(self, directory: Path) -> None:
        """Write ``terms.json`` and ``ngrams.safetensors``."""
        write_json(directory / "terms.json", list(self.terms))
        arrays = {f"columns_{level}": array for level, array in enumerate(self.columns, start=1)}
        arrays |= {f"keys_{level}": array for level, array in enumerate(self.keys, start=2)}
        write_arrays(directory / "ngrams.safetensors", arrays)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not make a trie.
        """
        terms = read_terms(directory / "terms.json")
        path = directory / "ngrams.safetensors"
        arrays = read_all_arrays(path)
        depth = len(arrays) // 2 + 1
        names = [f"columns_{k}" for k in range(1, depth + 1)]
        names += [f"keys_{k}" for k in range(2, depth + 1)]
        if sorted(names) != sorted(arrays) or any(
            array.dtype != np.int64 or array.ndim != 1 for array in arrays.values()
        ):
            raise ModelCorrupt(path.name, "not the arrays of an n-gram vocabulary")
        vocabulary = cls(
            terms,
            tuple(arrays[f"keys_{k}"] for k in range(2, depth + 1)),
            tuple(arrays[f"columns_{k}"] for k in range(1, depth + 1)),
        )
        reason = vocabulary._defect()
        if reason is not None:
            raise ModelCorrupt(path.name, reason)
        return vocabulary

    def _defect(self) -> str | None:
        sizes = [len(self.terms), *map(len, self.keys)]
        if sizes != list(map(len, self.columns)):
            return "levels and columns differ in length"
        for parents, keys in zip(sizes, self.keys, strict=False):
            inside = len(keys) == 0 or (keys[0] >= 0 and keys[-1] < parents * len(self.terms))
            if not inside or (np.diff(keys) <= 0).any():
                return "keys are out of range or unsorted"
        columns = np.concatenate(self.columns)
        if (columns < -1).any() or not np.array_equal(
            np.sort(columns[columns >= 0]), np.arange(self.num_features)
        ):
            return "columns are not numbered 0, 1, ..."
        return None


def extend(
    nodes: NDArray[np.int64],
    ids: NDArray[np.int64],
    rows: NDArray[np.int32],
    level: int,
    num_terms: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Add one term to the n-gram at every position.

    Args:
        nodes: Node of level ``level - 1`` that starts at each position, or -1.
        ids: (num_tokens,) term of each position, or -1.
        rows: (num_tokens,) document of each position; an n-gram stays within one.
        level: Number of terms after the extension.
        num_terms: Factor that packs a pair into one key.

    Returns:
        (num_tokens - level + 1,) whether an n-gram of ``level`` terms starts at each position, and
        the packed key of those that do.
    """
    size = max(len(ids) - level + 1, 0)
    first, last = nodes[:size], ids[level - 1 :]
    valid = (first >= 0) & (last >= 0) & (rows[:size] == rows[level - 1 :])
    return valid, first[valid] * num_terms + last[valid]


def feature_counts(
    levels: Iterable[Positions],
    columns: Sequence[NDArray[np.int64]],
    num_documents: int,
) -> sparse.csr_array:
    """Count columns by document over all levels: (num_documents, num_features) float32."""
    rows, found = [], []
    for (level_rows, nodes), level_columns in zip(levels, columns, strict=True):
        # -1 picks the added last element, so "no node" has no column.
        column = np.append(level_columns, -1)[nodes]
        keep = column >= 0
        rows.append(level_rows[keep])
        found.append(column[keep])
    num_features = sum(int(np.count_nonzero(level >= 0)) for level in columns)
    return count_matrix(np.concatenate(rows), np.concatenate(found), (num_documents, num_features))


def count_matrix(
    rows: NDArray[np.int32], columns: NDArray[np.integer], shape: tuple[int, int]
) -> sparse.csr_array:
    """Count how often each (row, column) pair occurs: float32, indices sorted."""
    ones = np.ones(len(rows), dtype=np.float32)
    if shape[1] <= np.iinfo(np.int32).max:  # half the memory, and all that liblinear takes
        columns = columns.astype(np.int32)
    matrix = sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def renumbering(kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (n + 1,) new numbers 0, 1, ... of what is kept, and -1 for the rest.

    The last element is -1 too, so that an index of -1 ("none") stays -1.
    """
    numbers = np.full(len(kept) + 1, -1, dtype=np.int64)
    numbers[:-1][kept] = np.arange(np.count_nonzero(kept))
    return numbers
