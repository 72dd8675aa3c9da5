from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import Vocabulary
from lexiclass.plugins.tokenizers.batches import batches_of, renumber, well_formed


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=5))
def test_numbers_become_those_of_the_vocabulary_in_order_of_appearance(
    lists: list[list[int]],
) -> None:
    vocabulary = Vocabulary(["3"])
    lengths = np.array([len(numbers) for numbers in lists], dtype=np.int64)
    flat = np.array([number for numbers in lists for number in numbers], dtype=np.int64)
    # Number 5 has no name: it is left out.
    tokens = renumber((flat, lengths), lambda n: "" if n == 5 else str(n), vocabulary)
    names = [[str(number) for number in numbers if number != 5] for numbers in lists]
    terms = list(vocabulary)
    read = [
        [terms[i] for i in tokens.ids[a:b]]
        for a, b in zip(tokens.indptr[:-1], tokens.indptr[1:], strict=True)
    ]
    assert read == names
    assert terms == list(dict.fromkeys(["3", *(name for row in names for name in row)]))


def test_halves_of_characters_become_question_marks() -> None:
    assert well_formed(["a", "b\ud800c", "ö"]) == ["a", "b?c", "ö"]
    assert list(batches_of(iter(["a", "\udfff", "c"]), 2)) == [["a", "?"], ["c"]]
