"""Documents of an index that are the same as others, or nearly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from lexiclass.errors import InvalidParameters
from lexiclass.index.similarity.documents import CountedDocuments
from lexiclass.index.similarity.pairs import Pairs, PairSearch
from lexiclass.index.similarity.weights import weigh_among_themselves

#: Cosine from which documents are near-duplicates unless said otherwise: a word or two in ten may
#: differ.
NEAR_DUPLICATE = 0.9

# Pairs computed before what they connect is taken note of: fewer are computed in vain.
_STEP = 16_384


class Duplicate(NamedTuple):
    """A document of a group of duplicates.

    Attributes:
        id: Its id.
        similarity: Cosine to the first document of the group, in [0, 1]; it can be below the
            threshold where others lie between them.
        is_identical: Whether it has the same content as the first one, byte for byte.
    """

    id: int
    similarity: float
    is_identical: bool


def find_duplicates(
    index: CountedDocuments,
    *,
    threshold: float = NEAR_DUPLICATE,
) -> list[list[Duplicate]]:
    """Group the documents of an index that are similar, directly or by way of others.

    Similarity is the exact cosine of TF-IDF weights; see
    :class:`~lexiclass.index.SimilaritySearch`. Documents without any token are compared
    by their content alone.

    Args:
        index: The documents.
        threshold: Lowest cosine of a pair of near-duplicates, in (0, 1].

    Returns:
        Groups of two documents or more, by id, and in the order of their first ids.

    Raises:
        InvalidParameters: If the threshold is not in (0, 1].
        ModelCorrupt: If the index was changed.
    """
    _require_threshold(threshold)
    counts = index.counts()
    kinds = _kinds(counts, index.table.digests)
    representatives = np.unique(kinds, return_index=True)[1]
    search = PairSearch(weigh_among_themselves(counts), threshold)
    groups = np.arange(len(representatives))
    for pairs in search.among(representatives):
        groups = _connect(groups, search, pairs, kinds)
    return list(_describe(index, search, groups[kinds]))


def near_duplicates_of(
    index: CountedDocuments,
    ids: Sequence[int] | NDArray[np.int64],
    others: Sequence[int] | NDArray[np.int64],
    *,
    threshold: float = NEAR_DUPLICATE,
) -> NDArray[np.int64]:
    """Find documents that are similar to some of other documents.

    Terms weigh as they do among all of these; what the index does not hold is left out.

    Args:
        index: The documents.
        ids: Which are looked at.
        others: What they are compared with.
        threshold: Lowest cosine of near-duplicates, in (0, 1].

    Returns:
        Those of the first ids that are like one of the others, ascending.

    Raises:
        InvalidParameters: If the threshold is not in (0, 1].
        ModelCorrupt: If the index was changed.
    """
    _require_threshold(threshold)
    table = index.table
    places = (table.places_of(np.asarray(some, dtype=np.int64)) for some in (ids, others))
    left, right = (np.unique(rows[rows >= 0]) for rows in places)
    used = np.union1d(left, right)
    counts = index.counts(used)
    kinds = _kinds(counts, index.table.digests[used])
    left_kinds, right_kinds = (kinds[np.searchsorted(used, rows)] for rows in (left, right))
    is_found = np.isin(np.arange(len(used)), right_kinds)  # of each kind, of which there are less
    representatives = np.unique(kinds, return_index=True)[1]
    search = PairSearch(weigh_among_themselves(counts), threshold)
    candidates = search.between(
        representatives[np.setdiff1d(left_kinds, right_kinds)],
        representatives[np.unique(right_kinds)],
    )
    for pairs in candidates:
        for some in _steps(pairs):
            is_open = ~is_found[kinds[some.rows]]
            similar = search.similar(Pairs(some.rows[is_open], some.others[is_open]))
            is_found[kinds[similar.rows]] = True
    return index.table.ids[left[is_found[left_kinds]]]


def _require_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise InvalidParameters(
            f"The threshold is {threshold}; give a cosine above 0 and at most 1, such as "
            f"{NEAR_DUPLICATE}.",
            details={"threshold": threshold},
        )


def _kinds(counts: sparse.csr_array, digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number documents so that those with the same words, as often, have the same number.

    Of documents without any word it is those with the same content.
    """
    ends = counts.indptr.tolist()
    keys: list[bytes] = []
    for row, (start, end) in enumerate(pairwise(ends)):
        key = hashlib.blake2b(digest_size=16)
        key.update(counts.indices[start:end].tobytes())
        key.update(counts.data[start:end].tobytes() if end > start else digests[row].tobytes())
        keys.append(key.digest())
    return np.unique(np.array(keys, dtype="S16"), return_inverse=True)[1].astype(np.int64)


def _connect(
    groups: NDArray[np.int64], search: PairSearch, pairs: Pairs, kinds: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Join the groups of similar documents; pairs within a group need not be computed."""
    for some in _steps(pairs):
        is_apart = groups[kinds[some.rows]] != groups[kinds[some.others]]
        similar = search.similar(Pairs(some.rows[is_apart], some.others[is_apart]))
        if not len(similar.rows):
            continue
        edges = (groups[kinds[similar.rows]], groups[kinds[similar.others]])
        size = len(groups)
        graph = sparse.csr_array((np.ones(len(edges[0])), edges), shape=(size, size))
        joined = csgraph.connected_components(graph, directed=False)[1]
        groups = joined[groups].astype(np.int64)
    return groups


def _steps(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, len(pairs.rows), _STEP):
        yield Pairs(pairs.rows[start : start + _STEP], pairs.others[start : start + _STEP])


def _describe(
    index: CountedDocuments, search: PairSearch, groups: NDArray[np.int64]
) -> Iterator[list[Duplicate]]:
    """Yield the groups of more than one row; rows are in the order of their ids."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    several = sorted((run for run in runs if len(run) > 1), key=lambda run: int(run[0]))
    if not several:
        return
    rows = np.concatenate(several)
    firsts = np.concatenate([np.full(len(run), run[0]) for run in several])
    is_identical = (index.table.digests[rows] == index.table.digests[firsts]).all(axis=1)
    similarities = np.where(is_identical, 1.0, search.cosines(Pairs(rows, firsts)))
    documents = map(
        Duplicate, index.table.ids[rows].tolist(), similarities.tolist(), is_identical.tolist()
    )
    for run in several:
        yield [next(documents) for _ in run]
