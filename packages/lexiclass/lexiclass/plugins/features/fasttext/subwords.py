"""Hashing the character n-grams of words as fastText does, many at a time.

Source: P. Bojanowski, E. Grave, A. Joulin, T. Mikolov, "Enriching Word Vectors with Subword
Information", TACL 5, 2017, and ``Dictionary::computeSubwords`` of github.com/facebookresearch/
fastText: the n-grams of ``<word>`` in characters, hashed as UTF-8 bytes by 32-bit FNV-1a whose
bytes are signed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)


def subword_hashes(
    words: Sequence[str], *, min_n: int, max_n: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return word number and hash of every n-gram of many words.

    Args:
        words: Well-formed Unicode.
        min_n: Shortest n-gram, in characters.
        max_n: Longest one; below ``min_n`` there are none.
    """
    encoded = [f"<{word}>".encode() for word in words]
    joined = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    # UTF-8 bytes of the form 10xxxxxx go on with a character; all others start one.
    starts = np.flatnonzero((joined & 0xC0) != 0x80)
    ends = np.append(starts[1:], len(joined))
    owners = np.repeat(np.arange(len(words)), lengths)[starts]
    first, last = _edges(owners)
    signed = joined.view(np.int8).astype(np.uint32)

    at = np.arange(len(starts))
    hashes = np.full(len(starts), _FNV_OFFSET)
    found: list[tuple[NDArray[np.int64], NDArray[np.uint32]]] = []
    for length in range(1, max_n + 1):
        # The n-gram of the character at `at` grows by one character, where its word has one more.
        character = at + length - 1
        inside = character < len(starts)
        inside[inside] = owners[character[inside]] == owners[at[inside]]
        at, hashes = at[inside], hashes[inside]
        hashes = _extend(hashes, signed, starts[at + length - 1], ends[at + length - 1])
        if length >= min_n:
            # A lone < or > says nothing.
            keep = ~(first[at] | last[at]) if length == 1 else np.ones(len(at), dtype=np.bool_)
            found.append((owners[at[keep]], hashes[keep]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.uint32)
    rows, values = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(values)


def _edges(owners: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which characters are the first and the last of their word."""
    changes = np.append(np.diff(owners) > 0, np.ones(min(1, len(owners)), dtype=np.bool_))
    return np.roll(changes, 1), changes


def _extend(
    hashes: NDArray[np.uint32],
    signed: NDArray[np.uint32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.uint32]:
    """Hash the one to four bytes of one more character each."""
    result = hashes.copy()
    for place in range(4):
        more = np.flatnonzero(starts + place < ends)
        # Products wrap around at 32 bits, as the hash is defined.
        result[more] = (result[more] ^ signed[starts[more] + place]) * _FNV_PRIME
    return result
