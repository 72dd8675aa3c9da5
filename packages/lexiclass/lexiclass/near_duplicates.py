"""Which rows of a matrix are the same, or nearly so.

A training set often has a text several times: a news item and its correction, forms filled in
alike. A document that is held out of a training while its double is in tells nothing of how the
classifier does on new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from lexiclass.folds import Keys, mixed
from lexiclass.rows import Rows
from lexiclass.tokens import TokenMatrix

# Rows with at least this cosine are taken for the same.
_SAME = np.float32(0.9)

# MinHash: two rows come into one of the bands' buckets together with a probability of
# 1 - (1 - J ** 5) ** 3 for a Jaccard index J of their features: 0.93 for 0.9 and 0.09 for 0.5.
_BANDS, _HASHES_A_BAND = 3, 5

# Candidates whose cosine is computed at a time.
_PAIRS = 16_384


def content_keys(rows: Rows) -> Keys:
    """Return (n,) numbers that are equal for (n, m) rows that are the same or nearly so.

    They follow from the rows' content alone. Equal rows always have the same; nearly equal ones are
    found by MinHash (A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997),
    and are then compared: two of ten thousand pairs are missed for one that is found. Of dense rows
    only equal ones are found.
    """
    keys = fingerprints(rows)
    if not isinstance(rows, sparse.csr_array):
        return keys
    first, others = _similar(rows, keys)
    if not len(first):
        return keys
    links = sparse.csr_array((np.ones(len(first)), (first, others)), shape=(len(keys), len(keys)))
    _, groups = csgraph.connected_components(links, directed=False)
    lowest = np.full(groups.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, groups, keys)
    return lowest[groups]


def text_keys(texts: Sequence[str]) -> Keys:
    """Return what :func:`content_keys` does, of texts by the words that blanks separate."""
    words = TokenMatrix.from_lists([text.casefold().split() for text in texts])
    counts = words.counts().astype(np.float32)
    # Columns by what the words are: their numbers depend on the order of the texts.
    order = np.argsort(np.array(words.terms, dtype=object), kind="stable")
    rank = np.empty(len(order), dtype=counts.indices.dtype)
    rank[order] = np.arange(len(order))
    by_rank = sparse.csr_array(
        (counts.data, rank[counts.indices], counts.indptr), shape=counts.shape
    )
    by_rank.sort_indices()
    return content_keys(by_rank)


def fingerprints(rows: Rows | NDArray[np.bool_]) -> Keys:
    """Return (n,) numbers that follow from the content of rows, equal for equal ones alone."""
    if not isinstance(rows, sparse.csr_array):
        return _dense_fingerprints(rows)
    cells = rows.indices.astype(np.uint64) << np.uint64(32)
    cells ^= rows.data.astype(np.float32).view(np.uint32)
    return mixed(_by_row(np.add, mixed(cells), rows.indptr))


def _dense_fingerprints(rows: NDArray[np.floating] | NDArray[np.bool_]) -> Keys:
    bits = np.ascontiguousarray(rows, dtype=np.float32).view(np.uint32).astype(np.uint64)
    places = np.arange(bits.shape[1], dtype=np.uint64) << np.uint64(32)
    # What is 0 is not there in sparse rows.
    cells = np.where(bits == 0, np.uint64(0), mixed(bits ^ places))
    return mixed(cells.sum(axis=1, dtype=np.uint64))


def _by_row(
    ufunc: np.ufunc, values: NDArray[np.uint64], indptr: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Reduce the values of each row; 0 for a row without any."""
    result = np.zeros(len(indptr) - 1, dtype=np.uint64)
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        result[filled] = ufunc.reduceat(values, indptr[filled])
    return result


def _similar(rows: sparse.csr_array, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of rows that are the same or nearly so, not all but enough to connect them."""
    filled = np.flatnonzero(np.diff(rows.indptr))
    # The same row first, whatever the order: buckets are compared with their first.
    filled = filled[np.argsort(keys[filled], kind="stable")]
    firsts, others = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for band in _bands(rows):
        _, place, bucket = np.unique(band[filled], return_index=True, return_inverse=True)
        first = filled[place][bucket]
        pairs = np.flatnonzero(first != filled)
        for start in range(0, len(pairs), _PAIRS):
            chosen = pairs[start : start + _PAIRS]
            found = _cosines(rows, first[chosen], filled[chosen]) >= _SAME
            firsts.append(first[chosen][found])
            others.append(filled[chosen][found])
    return np.concatenate(firsts), np.concatenate(others)


def _bands(rows: sparse.csr_array) -> Iterator[NDArray[np.uint64]]:
    columns = np.arange(rows.shape[1], dtype=np.uint64)
    cells = rows.indices.astype(np.intp)  # which ``take`` would make of them each time
    for band in range(_BANDS):
        key = np.zeros(rows.shape[0], dtype=np.uint64)
        for number in range(_HASHES_A_BAND):
            salt = np.uint64((band * _HASHES_A_BAND + number + 1) << 40)
            hashes = mixed(columns ^ salt)
            key = mixed(key ^ _by_row(np.minimum, hashes.take(cells), rows.indptr))
        yield key


def _cosines(
    rows: sparse.csr_array, first: NDArray[np.intp], others: NDArray[np.intp]
) -> NDArray[np.float32]:
    left, right = rows[first], rows[others]
    products = np.asarray(left.multiply(right).sum(axis=1)).ravel()
    lengths = np.sqrt(_squares(left) * _squares(right))
    return np.asarray(products / np.maximum(lengths, np.finfo(np.float32).tiny))


def _squares(rows: sparse.csr_array) -> NDArray[np.float32]:
    return np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float32).ravel()
