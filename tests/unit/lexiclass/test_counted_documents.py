"""Documents that are the same are found by their words; those without a word are like no other."""

import numpy as np
import pytest
from scipy import sparse

from lexiclass.report.counted import CountedDocuments, duplicate_keys
from lexiclass.tokens import TokenMatrix, Vocabulary


@pytest.mark.parametrize("texts", [[""], ["", ""], ["a b", "", "b a", "c", ""], ["", "a"]])
def test_documents_without_a_word_are_like_no_other(texts: list[str]) -> None:
    counted = CountedDocuments(Vocabulary())
    counted.add(TokenMatrix.from_lists([text.split() for text in texts]))
    nearly, same = duplicate_keys(counted.counts())
    different = len({*texts}) - ("b a" in texts) - ("" in texts) + texts.count("")
    for keys in (nearly, same):
        assert len(np.unique(keys)) == different


def test_batches_have_numbers_in_common() -> None:
    counted = CountedDocuments(Vocabulary())
    for words in (["x", "y"], ["y", "z"], ["y", "x"]):
        counted.add(TokenMatrix.from_lists([words]))
    counts = counted.counts()
    assert isinstance(counts, sparse.csr_array)
    assert counts.toarray().tolist() == [[1, 1, 0], [0, 1, 1], [1, 1, 0]]
    assert len(np.unique(duplicate_keys(counts)[1])) == 2
