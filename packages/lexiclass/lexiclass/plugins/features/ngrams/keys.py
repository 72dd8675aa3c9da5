"""Finding many numbers in a set of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# 2**64 divided by the golden ratio, odd: multiples of it spread over the highest bits (D. Knuth,
# The Art of Computer Programming, volume 3, section 6.4).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class KeyTable:
    """A hash table of int64 keys, looked up by whole arrays.

    For a million keys a look-up takes a fifth of the time of a binary search, whose steps miss
    the processor's cache one after the other.

    Args:
        keys: (n,) distinct.
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        bits = len(keys).bit_length() + 1  # between two and four buckets a key
        self._shift = np.uint64(64 - bits)
        buckets = self._buckets(keys)
        self._places = np.argsort(buckets, kind="stable")
        self._keys = keys[self._places]
        counts = np.bincount(buckets, minlength=2**bits)
        self._starts = np.concatenate(([0], np.cumsum(counts)))

    def find(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of every wanted key among the keys, or -1 where it is none of them."""
        buckets = self._buckets(wanted)
        at, ends = self._starts[buckets], self._starts[buckets + 1]
        found = np.full(len(wanted), -1, dtype=np.int64)
        left = np.flatnonzero(at < ends)
        while len(left):
            candidates = at[left]
            is_hit = self._keys[candidates] == wanted[left]
            found[left[is_hit]] = self._places[candidates[is_hit]]
            left = left[~is_hit]
            at[left] += 1
            left = left[at[left] < ends[left]]
        return found

    def _buckets(self, keys: NDArray[np.int64]) -> NDArray[Any]:
        return ((keys.view(np.uint64) * _MULTIPLIER) >> self._shift).astype(np.int64)


def index_type(*sizes: int) -> type[np.signedinteger[Any]]:
    """Return the type for indices below all sizes: int32 where it will do, all liblinear takes."""
    return np.int32 if max(sizes) < 2**31 else np.int64


def pair_counts(
    major: NDArray[np.int64], minor: NDArray[np.integer], num_minor: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count how often each pair of numbers occurs, by one sort.

    Args:
        major: (n,) numbers from 0 on.
        minor: (n,) numbers from 0 to ``num_minor - 1``.
        num_minor: At least 1.

    Returns:
        The majors and the minors of the distinct pairs, sorted by both, and how often each occurs.
    """
    bits = (num_minor - 1).bit_length()
    if len(major) and int(major.max()).bit_length() + bits > 63:
        values, major = np.unique(major, return_inverse=True)
        majors, minors, counts = pair_counts(major.astype(np.int64), minor, num_minor)
        return values[majors], minors, counts
    packed = np.sort((major << bits) | minor)
    first = np.flatnonzero(np.diff(packed, prepend=-1))
    counts = np.diff(first, append=len(packed))
    packed = packed[first]
    return packed >> bits, packed & ((1 << bits) - 1), counts
