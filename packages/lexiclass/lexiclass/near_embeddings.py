"""Which embeddings are of the same text, or nearly so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lexiclass.folds import Keys
from lexiclass.near_duplicates import fingerprints, keys_of_groups

Dense = NDArray[np.floating]

# Embeddings with at least this cosine are taken for the same, each against the mean of all: many
# encoders put all texts in one direction. In five corpora no two others came so near that one would
# call different (the nearest of 99 in 100 were at .78 on news); of news with one word of 38 changed
# .89 did.
_SAME = np.float32(0.95)

# Random hyperplanes (M. Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC
# 2002): two rows of a cosine of .95 are on the same side of one with a probability of .90, so on
# the same sides of 14 of them in one of 32 tries with .999.
_TRIES, _FEWEST_PLANES, _MOST_PLANES = 32, 8, 20

# Numbers that rows are multiplied by at a time, and pairs that are compared.
_AT_A_TIME = 2**22


def embedding_keys(rows: Dense) -> Keys:
    """Return (n,) numbers that are equal for (n, m) embeddings that are the same or nearly so.

    They follow from the content of all rows, in whatever order they are. Equal rows always have the
    same; nearly equal ones are found by random hyperplanes, and are then compared.
    """
    keys = fingerprints(rows)
    # The same row first, whatever the order: buckets are compared with their first.
    distinct = np.unique(keys, return_index=True)[1]
    if len(distinct) < 3:  # what is in the middle of two is neither
        return keys
    centred = rows[distinct].astype(np.float32)
    centred -= centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.sqrt(np.square(centred).sum(axis=1, keepdims=True))
    centred /= np.maximum(lengths, np.finfo(np.float32).tiny)
    pairs = list(_similar(centred))
    first = distinct[np.concatenate([first for first, _ in pairs])]
    others = distinct[np.concatenate([others for _, others in pairs])]
    # Those that are equal are one row here.
    same = np.searchsorted(keys[distinct], keys)
    apart = np.flatnonzero(distinct[same] != np.arange(len(keys)))
    return keys_of_groups(
        keys, np.concatenate([first, distinct[same][apart]]), np.concatenate([others, apart])
    )


def _similar(rows: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs of rows of length 1 that are nearly the same, enough to connect them."""
    num, size = rows.shape
    num_planes = int(np.clip(np.ceil(np.log2(num)), _FEWEST_PLANES, _MOST_PLANES))
    source = np.random.default_rng(0)
    powers = 2 ** np.arange(num_planes)
    for _ in range(_TRIES):
        planes = source.standard_normal((size, num_planes)).astype(np.float32)
        _, place, bucket = np.unique(
            (rows @ planes > 0) @ powers, return_index=True, return_inverse=True
        )
        first = place[bucket]
        others = np.flatnonzero(first != np.arange(num))
        step = max(1, _AT_A_TIME // size)
        for start in range(0, len(others), step):
            chosen = others[start : start + step]
            cosines = (rows[first[chosen]] * rows[chosen]).sum(axis=1)
            found = chosen[cosines >= _SAME]
            yield first[found], found
    yield np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
