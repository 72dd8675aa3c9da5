from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import TokenMatrix, Vocabulary
from lexiclass.tokens import concatenate

WORDS = st.sampled_from(["a", "b", "c", "dd", "é", "日本"])
DOCUMENTS = st.lists(st.lists(WORDS, max_size=8), max_size=8)


@given(DOCUMENTS)
def test_token_lists_come_back_as_they_were(documents: list[list[str]]) -> None:
    tokens = TokenMatrix.from_lists(documents)
    assert tokens.to_lists() == documents
    assert len(tokens) == len(documents)
    assert len(set(tokens.terms)) == len(tokens.terms)


@given(DOCUMENTS)
def test_counts_equal_a_naive_count(documents: list[list[str]]) -> None:
    tokens = TokenMatrix.from_lists(documents)
    counts = tokens.counts().toarray()
    for row, document in zip(counts, documents, strict=True):
        assert {tokens.terms[int(i)]: row[i] for i in np.flatnonzero(row)} == Counter(document)


@given(DOCUMENTS)
def test_counts_that_are_kept_are_the_same(documents: list[list[str]]) -> None:
    tokens = TokenMatrix.from_lists(documents)
    kept = tokens.counted_once()
    assert kept.counts() is kept.counts()
    np.testing.assert_array_equal(kept.counts().toarray(), tokens.counts().toarray())
    assert kept.to_lists() == documents


@given(DOCUMENTS, st.integers(0, 100))
def test_columns_are_in_order_however_many_terms_there_are(
    documents: list[list[str]], unused: int
) -> None:
    vocabulary = Vocabulary([f"unused {number}" for number in range(unused)])
    counts = TokenMatrix.from_lists(documents, vocabulary).counts()
    for start, end in pairwise(counts.indptr):
        assert (np.diff(counts.indices[start:end]) > 0).all()


@given(DOCUMENTS, st.data())
def test_rows_can_be_taken_in_any_order(documents: list[list[str]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(documents) - 1)) if documents else st.just([]))
    taken = TokenMatrix.from_lists(documents).take(np.array(rows, dtype=np.int64))
    assert taken.to_lists() == [documents[row] for row in rows]


@given(DOCUMENTS, DOCUMENTS)
def test_batches_over_one_vocabulary_join(first: list[list[str]], second: list[list[str]]) -> None:
    vocabulary = Vocabulary()
    parts = [TokenMatrix.from_lists(batch, vocabulary) for batch in (first, second)]
    assert concatenate(parts, list(vocabulary)).to_lists() == first + second


def test_a_vocabulary_only_grows() -> None:
    vocabulary = Vocabulary(["x", "y"])
    assert vocabulary.encode(["y", "z", "y"]).tolist() == [1, 2, 1]
    assert vocabulary.since(2) == ["z"]
    assert list(vocabulary) == ["x", "y", "z"]


def test_joining_nothing_gives_nothing() -> None:
    assert len(concatenate([], ["a"])) == 0
