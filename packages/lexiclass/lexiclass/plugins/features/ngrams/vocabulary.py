"""N-gram vocabularies as a trie in sorted arrays: no n-gram is ever a string.

Level 1 of the trie holds single terms, level k the n-grams of k terms. A node of level k is the
pair (node of its first k - 1 terms, last term), packed into one int64 key, so the nodes of all
positions of a corpus are found in one look-up per level. Terms and keys are sorted, which makes
columns independent of the order of documents and of hashing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress, count, repeat
from pathlib import Path
from typing import Self
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.plugins.features.ngrams.keys import KeyTable, index_type, pair_counts
from lexiclass.rows import with_sorted_indices
from lexiclass.serialization import read_all_arrays, read_terms, write_arrays, write_json
from lexiclass.tokens import StableTerms, TokenMatrix

#: Names of the files of terms and arrays.
FILES = ("terms.json", "ngrams.safetensors")

# With fewer look-ups than this share of the keys, a binary search ends before a table is made.
_FEW_LOOKUPS = 0.5


@dataclass(frozen=True, eq=False)
class NgramVocabulary:
    """The n-grams that are features, and the prefixes that lead to them.

    Attributes:
        terms: The single terms, sorted: the nodes of level 1.
        keys: For each level from 2 on, sorted ``parent node * len(terms) + last term``.
        columns: For each level from 1 on, the feature column of every node, or -1. Columns are
            numbered level by level, in the order of the nodes.
    """

    terms: Sequence[str]
    keys: tuple[NDArray[np.int64], ...]
    columns: tuple[NDArray[np.int64], ...]

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return sum(int(np.count_nonzero(columns >= 0)) for columns in self.columns)

    def names(self, columns: NDArray[np.integer], joint: str = " ") -> list[str]:
        """Return the n-grams that ascending columns count, terms joined by a space or so."""
        names: list[str] = []
        first = 0
        for depth, of_nodes in enumerate(self.columns):
            nodes = np.flatnonzero(of_nodes >= 0)
            of_level = (columns >= first) & (columns < first + len(nodes))
            runs = self._terms_of(depth, nodes[columns[of_level] - first]).tolist()
            names += [joint.join(map(self.terms.__getitem__, run)) for run in runs]
            first += len(nodes)
        return names

    def _terms_of(self, depth: int, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n, depth + 1) the terms of n nodes, below so many others."""
        terms: list[NDArray[np.int64]] = []
        for keys in reversed(self.keys[:depth]):
            nodes, last = np.divmod(keys[nodes], len(self.terms))
            terms.insert(0, last)
        return np.column_stack([nodes, *terms])

    def counts(self, tokens: TokenMatrix) -> sparse.csr_array:
        """Count the features in every document: (n, num_features) float32, indices sorted."""
        terms = self._nodes_of(tokens.terms)
        width = int(np.count_nonzero(self.columns[0] >= 0))
        single = map_columns(tokens.counts(), np.append(self.columns[0], -1)[terms], width)
        blocks = [with_sorted_indices(single), *self._longer(tokens, terms)]
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def known_words(self, tokens: TokenMatrix) -> NDArray[np.int64]:
        """Return (n,) how many tokens of each document are terms."""
        is_known = self._nodes_of(tokens.terms)[tokens.ids] >= 0
        before = np.concatenate(([0], np.cumsum(is_known)))
        return np.diff(before[tokens.indptr])

    def _longer(self, tokens: TokenMatrix, terms: NDArray[np.int64]) -> Iterator[sparse.csr_array]:
        """Count the features of each level from 2 on."""
        if not self.keys:
            return
        rows, ids = tokens.rows, terms[tokens.ids]
        nodes = ids
        for level, (keys, columns) in enumerate(zip(self.keys, self.columns[1:], strict=True), 2):
            at, packed = extend(nodes, ids, rows, level, len(self.terms))
            found = self._find(level, keys, packed)
            nodes = np.full(len(at), -1, dtype=np.int64)
            nodes[at] = found
            column = np.append(columns, -1)[found]
            is_feature = column >= 0
            width = int(np.count_nonzero(columns >= 0))
            first = columns.max(initial=-1) + 1 - width
            row, column, count = pair_counts(
                rows[: len(at)][at][is_feature].astype(np.int64),
                column[is_feature] - first,
                max(width, 1),
            )
            indptr = np.searchsorted(row, np.arange(len(tokens) + 1))
            dtype = index_type(len(column), width)
            yield sparse.csr_array(
                (count.astype(np.float32), column.astype(dtype), indptr.astype(dtype)),
                shape=(len(tokens), width),
            )

    def _find(
        self, level: int, keys: NDArray[np.int64], wanted: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        if level not in self._tables and len(wanted) < _FEW_LOOKUPS * len(keys):
            places = np.searchsorted(keys, wanted)
            # Beyond the last key the added -1, which no key equals, stands for "not there".
            return np.where(np.append(keys, -1)[places] == wanted, places, -1)
        if level not in self._tables:
            self._tables[level] = KeyTable(keys)
        return self._tables[level].find(wanted)

    @cached_property
    def _tables(self) -> dict[int, KeyTable]:
        return {}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return dict(zip(self.terms, count(), strict=False))

    def _nodes_of(self, terms: Sequence[str]) -> NDArray[np.int64]:
        """Return the node of level 1 of each term, or -1, and one more -1 for none."""
        for seen, nodes in self._last_nodes:
            if seen() is terms:
                return nodes
        found = map(self._numbers.get, chain(terms, [None]), repeat(-1))  # type: ignore[arg-type]
        nodes = np.fromiter(found, dtype=np.int64, count=len(terms) + 1)
        if isinstance(terms, StableTerms):
            self._last_nodes[:] = [(ref(terms), nodes)]
        return nodes

    @cached_property
    def _last_nodes(self) -> list[tuple[ref[StableTerms], NDArray[np.int64]]]:
        """At most one: whole projects are predicted in many batches of one index."""
        return []

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

    def save(self, directory: Path, files: tuple[str, str] = FILES) -> None:
        """Write the terms and the arrays to files of these names."""
        write_json(directory / files[0], list(self.terms))
        arrays = {f"columns_{level}": array for level, array in enumerate(self.columns, start=1)}
        arrays |= {f"keys_{level}": array for level, array in enumerate(self.keys, start=2)}
        write_arrays(directory / files[1], arrays)

    @classmethod
    def load(cls, directory: Path, files: tuple[str, str] = FILES) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not make a trie.
        """
        terms = read_terms(directory / files[0])
        path = directory / files[1]
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
            columns[columns >= 0], np.arange(self.num_features)
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


def map_columns(
    matrix: sparse.csr_array, columns: NDArray[np.integer], num_columns: int
) -> sparse.csr_array:
    """Renumber the columns of a matrix.

    Args:
        matrix: (n, m) values.
        columns: (m,) or longer; the new number of each column, -1 leaves it out.
        num_columns: How many there are then.

    Returns:
        (n, num_columns) float32; indices not sorted.
    """
    dtype = index_type(matrix.nnz, num_columns)
    column = columns.astype(dtype)[matrix.indices]
    keep = column >= 0
    before = np.concatenate(([0], np.cumsum(keep))).astype(dtype)
    return sparse.csr_array(
        (matrix.data[keep].astype(np.float32), column[keep], before[matrix.indptr]),
        shape=(matrix.shape[0], num_columns),
    )


def renumbering(kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (n + 1,) new numbers 0, 1, ... of what is kept, and -1 for the rest.

    The last element is -1 too, so that an index of -1 ("none") stays -1.
    """
    numbers = np.full(len(kept) + 1, -1, dtype=np.int64)
    numbers[:-1][kept] = np.arange(np.count_nonzero(kept))
    return numbers
