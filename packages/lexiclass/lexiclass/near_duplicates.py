"""Which rows of a matrix are the same, or nearly so.

A training set often has a text several times: a news item and its correction, forms filled in
alike. A document that is held out of a training while its double is in tells nothing of how the
classifier does on new ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from lexiclass.folds import Keys, mixed
from lexiclass.rows import Rows
from lexiclass.tokens import TokenMatrix

Number = TypeVar("Number", np.uint64, np.float32)

# Rows with at least this cosine are taken for the same.
_SAME = np.float32(0.9)

# MinHash: two rows come into one of the bands' buckets together with a probability of
# 1 - (1 - J ** 4) ** 4 for a Jaccard index J of their features, each counted by its weight: 0.91
# for 0.82, which rows of a cosine of 0.9 have, and 0.02 for 0.3.
_BANDS, _HASHES_A_BAND = 4, 4

# 64 random bits become a number from 0 to 1, of which double precision holds these many.
_EXTRA_BITS, _UNIT = np.uint64(11), 2.0**-53

# What is written without blanks between words: Thai and Lao, Tibetan, Burmese, Khmer, the kana (in
# half width as well), and Chinese characters.
_WITHOUT_BLANKS = re.compile(
    "([\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+)"
)

# Candidates whose cosine is computed at a time.
_PAIRS = 16_384


def content_keys(rows: Rows) -> Keys:
    """Return (n,) numbers that are equal for (n, m) rows that are the same or nearly so.

    They follow from the rows' content alone. Equal rows always have the same; nearly equal ones are
    found by MinHash (A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997),
    and are then compared. Features weigh by how rare they are, and counts as TF-IDF has them: what
    stands in all documents, such as a signature, makes none of them alike, nor does it hide those
    that are. Of dense rows only equal ones are found.
    """
    keys = fingerprints(rows)
    if not isinstance(rows, sparse.csr_array):
        return keys
    first, others = _similar(rows, keys)
    return keys_of_groups(keys, first, others)


def keys_of_groups(keys: Keys, first: NDArray[np.intp], others: NDArray[np.intp]) -> Keys:
    """Return (n,) keys that are equal for what pairs connect: the lowest of each group's."""
    if not len(first):
        return keys
    links = sparse.csr_array((np.ones(len(first)), (first, others)), shape=(len(keys), len(keys)))
    _, groups = csgraph.connected_components(links, directed=False)
    lowest = np.full(groups.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, groups, keys)
    return lowest[groups]


def text_keys(texts: Sequence[str]) -> Keys:
    """Return what :func:`content_keys` does, of texts by the words that blanks separate.

    Of scripts that write no blanks, pairs of characters stand for words.
    """
    # Each word once in memory, of which a long text has as many as characters.
    words: dict[str, str] = {}
    return token_keys(
        TokenMatrix.from_lists(
            [[words.setdefault(word, word) for word in _words(text.casefold())] for text in texts]
        )
    )


def _words(text: str) -> Iterator[str]:
    for word in text.split():
        if word.isascii():
            yield word
            continue
        for part in _WITHOUT_BLANKS.split(word):
            if len(part) > 1 and _WITHOUT_BLANKS.match(part):
                yield from map("".join, pairwise(part))
            elif part:
                yield part


def token_keys(documents: TokenMatrix) -> Keys:
    """Return what :func:`content_keys` does, of documents by how often they have each token."""
    counts = documents.counts().astype(np.float32)
    # Columns by what the tokens are: their numbers depend on the order of the documents.
    order = np.argsort(np.array(documents.terms, dtype=object), kind="stable")
    rank = np.empty(len(order), dtype=counts.indices.dtype)
    rank[order] = np.arange(len(order))
    by_rank = sparse.csr_array(
        (counts.data, rank[counts.indices], counts.indptr), shape=counts.shape
    )
    by_rank.sort_indices()
    return content_keys(by_rank)


def shares_of_groups(keys: Keys) -> NDArray[np.float64]:
    """Return (n,) what each document counts where those with the same key count as one together."""
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(1 / sizes[group])


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
    ufunc: np.ufunc, values: NDArray[Number], indptr: NDArray[np.integer]
) -> NDArray[Number]:
    """Reduce the values of each row; 0 for a row without any."""
    result = np.zeros(len(indptr) - 1, dtype=values.dtype)
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        result[filled] = ufunc.reduceat(values, indptr[filled])
    return result


def _rarity(rows: sparse.csr_array) -> NDArray[np.float64]:
    """Return (m,) the inverse document frequency of each feature among (n, m) rows."""
    frequency = np.bincount(rows.indices, minlength=rows.shape[1])
    return np.asarray(np.log((1 + rows.shape[0]) / (1 + frequency)) + 1)


def _weighed(rows: sparse.csr_array, rarity: NDArray[np.float64]) -> sparse.csr_array:
    """Return counts as TF-IDF weighs them among these rows, and other numbers as they are."""
    if not ((rows.data >= 1) & (rows.data == np.rint(rows.data))).all():
        return rows
    cells = (1 + np.log(rows.data)) * rarity.astype(rows.dtype)[rows.indices]
    return sparse.csr_array((cells, rows.indices, rows.indptr), shape=rows.shape)


def _similar(rows: sparse.csr_array, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of rows that are the same or nearly so, not all but enough to connect them."""
    rarity = _rarity(rows)
    weighed = _weighed(rows, rarity)
    filled = np.flatnonzero(np.diff(rows.indptr))
    # The same row first, whatever the order: buckets are compared with their first.
    filled = filled[np.argsort(keys[filled], kind="stable")]
    firsts, others = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for band in _bands(rows, rarity):
        _, place, bucket = np.unique(band[filled], return_index=True, return_inverse=True)
        first = filled[place][bucket]
        pairs = np.flatnonzero(first != filled)
        for start in range(0, len(pairs), _PAIRS):
            chosen = pairs[start : start + _PAIRS]
            found = _cosines(weighed, first[chosen], filled[chosen]) >= _SAME
            firsts.append(first[chosen][found])
            others.append(filled[chosen][found])
    return np.concatenate(firsts), np.concatenate(others)


def _bands(rows: sparse.csr_array, rarity: NDArray[np.float64]) -> Iterator[NDArray[np.uint64]]:
    """Yield the buckets that rows fall into.

    The feature of a row that comes first decides. Each comes after a time that is drawn from the
    exponential distribution of the rate that is its weight, what it adds to the square of a row's
    length: so the first is the same for two rows in as many cases as they share of their weight.
    """
    columns = np.arange(rows.shape[1], dtype=np.uint64)
    cells = rows.indices.astype(np.intp)  # which ``take`` would make of them each time
    of_cells = np.empty(len(cells), dtype=np.float32)
    for band in range(_BANDS):
        key = np.zeros(rows.shape[0], dtype=np.uint64)
        for number in range(_HASHES_A_BAND):
            salt = np.uint64((band * _HASHES_A_BAND + number + 1) << 40)
            drawn = 1 - (mixed(columns ^ salt) >> _EXTRA_BITS) * _UNIT  # never 0
            # Single precision: two features of one time make a pair more that is compared.
            times = (-np.log(drawn) / rarity**2).astype(np.float32)
            times.take(cells, out=of_cells, mode="clip")  # with "raise" it fills a copy
            first = _by_row(np.minimum, of_cells, rows.indptr)
            key = mixed(key ^ first.view(np.uint32))
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
