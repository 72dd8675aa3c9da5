"""Vectors of words and of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.plugins.features.fasttext.subwords import subword_hashes
from lexiclass.serialization import read_arrays, read_terms, write_arrays, write_json

Vectors = NDArray[np.float32]

_ARRAYS: dict[str, tuple[type[np.generic], int]] = {
    "words": (np.float32, 2),
    "buckets": (np.int64, 1),
    "subwords": (np.float32, 2),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class WordVectors:
    """Vectors of known words, and of the character n-grams that unknown ones are made of.

    Attributes:
        terms: The known words.
        words: (num_terms, dimension) their vectors.
        buckets: Sorted hash values of the n-grams that have a vector.
        subwords: (num_buckets, dimension) their vectors.
        min_n: Shortest n-gram, in characters.
        max_n: Longest one.
        num_buckets: What hashes are taken modulo of.
    """

    terms: Sequence[str]
    words: Vectors
    buckets: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    subwords: Vectors
    min_n: int
    max_n: int
    num_buckets: int

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.words.shape[1])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self.terms, count(), strict=False))

    def rows_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of every known word in ``words``, and -1 for the others."""
        return np.fromiter((self._rows.get(word, -1) for word in words), np.int64, len(words))

    def compose(self, words: Sequence[str]) -> Vectors:
        """Return the vectors of unknown words: the mean of their known n-grams, or zeros."""
        if not words or not len(self.buckets):
            return np.zeros((len(words), self.dimension), dtype=np.float32)
        rows, hashes = subword_hashes(words, min_n=self.min_n, max_n=self.max_n)
        hashed = (hashes % np.uint32(self.num_buckets)).astype(np.int64)
        columns = np.searchsorted(self.buckets, hashed)
        # Beyond the last one the added -1, which no hash equals, stands for "not there".
        known = np.append(self.buckets, -1)[columns] == hashed
        counts = sparse.csr_array(
            (np.ones(np.count_nonzero(known), np.float32), (rows[known], columns[known])),
            shape=(len(words), len(self.buckets)),
        )
        totals = np.maximum(np.asarray(counts.sum(axis=1), dtype=np.float32), 1)
        return np.asarray(counts @ self.subwords / totals[:, np.newaxis], dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write ``terms.json`` and ``vectors.safetensors``."""
        write_json(directory / "terms.json", list(self.terms))
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_arrays(directory / "vectors.safetensors", arrays)

    @classmethod
    def load(cls, directory: Path, *, min_n: int, max_n: int, num_buckets: int) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not fit together.
        """
        terms = read_terms(directory / "terms.json")
        path = directory / "vectors.safetensors"
        arrays = read_arrays(path, _ARRAYS)
        words, buckets, subwords = (arrays[name] for name in _ARRAYS)
        fits = len(words) == len(terms) and subwords.shape == (len(buckets), words.shape[1])
        if not fits:
            raise ModelCorrupt(path.name, "not one vector per word and n-gram")
        inside = len(buckets) == 0 or (buckets[0] >= 0 and buckets[-1] < num_buckets)
        if not inside or (np.diff(buckets) <= 0).any():
            raise ModelCorrupt(path.name, "hashes of n-grams are out of range or unsorted")
        if not (np.isfinite(words).all() and np.isfinite(subwords).all()):
            raise ModelCorrupt(path.name, "holds numbers that are not finite")
        return cls(
            terms=terms,
            words=words,
            buckets=buckets,
            subwords=subwords,
            min_n=min_n,
            max_n=max_n,
            num_buckets=num_buckets,
        )


def read_text_vectors(path: Path, *, max_words: int) -> tuple[list[str], Vectors]:
    """Read the first word vectors of a file in fastText's textual format (.vec), streaming.

    It is a header ``words dimension``, then a word and its numbers per line.

    The binary format (.bin) is not read: its parsers trust sizes and offsets that a damaged file
    has wrong, and crash.

    Raises:
        ValueError: If it is anything else.
    """
    terms: dict[str, None] = {}
    with path.open("rb") as file:
        header = file.readline(_MAX_HEADER).split()
        if len(header) != 2 or not all(part.isdigit() and len(part) < 10 for part in header):
            raise ValueError("its first line is not 'words dimension', as .vec files have")
        total, dimension = map(int, header)
        if not 1 <= dimension <= _MAX_DIMENSION or total < 1:
            raise ValueError(f"it claims {total} words of {dimension} numbers")
        rows = []
        longest = _MAX_WORD + dimension * _MAX_NUMBER
        for number in range(2, min(total, max_words) + 2):
            line = file.readline(longest)
            if not line:
                raise ValueError(f"it ends at line {number} of {total + 1}")
            word, vector = _parse_line(line, dimension, number)
            if word not in terms:
                terms[word] = None
                rows.append(vector)
    return list(terms), np.stack(rows)


_MAX_HEADER = 64
_MAX_DIMENSION = 4096
_MAX_WORD = 4096
_MAX_NUMBER = 32


def _parse_line(line: bytes, dimension: int, number: int) -> tuple[str, Vectors]:
    word, *numbers = line.decode("utf-8", "replace").rstrip().rsplit(" ", dimension)
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, found below
            vector = np.array(numbers, dtype=np.float32)
    except ValueError as error:
        raise ValueError(f"line {number} holds what is no number") from error
    if len(vector) != dimension or not np.isfinite(vector).all():
        raise ValueError(f"line {number} does not hold {dimension} finite numbers")
    return word, vector


def weighted_means(
    counts: sparse.csr_array, vectors: Vectors, weights: NDArray[np.float32]
) -> Vectors:
    """Return (n, dimension) weighted means of the vectors of documents' terms.

    Args:
        counts: (n, num_terms) float32 counts; changed.
        vectors: (num_terms, dimension); a term of zeros counts for nothing.
        weights: (num_terms,) what each occurrence counts for.
    """
    counts.data *= (weights * vectors.any(axis=1))[counts.indices]
    totals = np.asarray(counts.sum(axis=1), dtype=np.float32)
    totals[totals == 0] = 1
    return np.asarray(counts @ vectors / totals[:, np.newaxis], dtype=np.float32)
