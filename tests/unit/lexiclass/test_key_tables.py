from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from lexiclass.plugins.features.ngrams.keys import KeyTable, index_type, pair_counts

KEYS = st.integers(0, 2**63 - 1) | st.integers(0, 40)


@given(st.sets(KEYS, max_size=60), st.lists(KEYS, max_size=60))
def test_a_key_is_found_at_its_place(keys: set[int], others: list[int]) -> None:
    ordered = sorted(keys)
    table = KeyTable(np.array(ordered, dtype=np.int64))
    places = {key: place for place, key in enumerate(ordered)}
    wanted = [*ordered, *others]
    found = table.find(np.array(wanted, dtype=np.int64))
    assert found.tolist() == [places.get(key, -1) for key in wanted]


@given(
    st.lists(st.tuples(st.integers(0, 5) | st.integers(2**61, 2**61 + 2), st.integers(0, 6))),
)
def test_pairs_are_counted_and_sorted(pairs: list[tuple[int, int]]) -> None:
    majors, minors = (np.array(column, dtype=np.int64) for column in _columns(pairs))
    found = zip(*(column.tolist() for column in pair_counts(majors, minors, 7)), strict=True)
    assert list(found) == [(*pair, count) for pair, count in sorted(Counter(pairs).items())]


@given(npst.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 3)))
def test_one_minor_is_enough(majors: NDArray[np.int64]) -> None:
    found, _, counts = pair_counts(majors, np.zeros_like(majors), 1)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(majors.tolist())


def test_indices_are_as_wide_as_they_must_be() -> None:
    assert index_type(5, 2**31 - 1) is np.int32
    assert index_type(5, 2**31) is np.int64


def _columns(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
