from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass.plugins.features.fasttext.subwords import subword_hashes

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=5)


def fnv(data: bytes) -> int:
    """The hash as fastText's C++ has it."""
    value = 2166136261
    for byte in data:
        signed = byte - 256 if byte > 127 else byte
        value = ((value ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return value


def one_by_one(words: list[str], min_n: int, max_n: int) -> list[tuple[int, int]]:
    """Return what the vectorized code should."""
    return sorted(
        (row, fnv(f"<{word}>"[start : start + length].encode()))
        for row, word in enumerate(words)
        for length in range(min_n, max_n + 1)
        for start in range(len(word) + 3 - length)
        if length > 1 or 0 < start <= len(word)
    )


@given(WORDS, st.integers(1, 4), st.integers(0, 5))
def test_many_words_are_hashed_as_each_alone(words: list[str], min_n: int, max_n: int) -> None:
    rows, hashes = subword_hashes(words, min_n=min_n, max_n=max_n)
    found = sorted(zip(rows.tolist(), hashes.tolist(), strict=True))
    assert found == one_by_one(words, min_n, max_n)


@pytest.mark.heavy
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_the_hashes_are_gensims(word: str) -> None:
    from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

    _, hashes = subword_hashes([word], min_n=1, max_n=5)
    expected = [ft_hash_bytes(ngram) for ngram in compute_ngrams_bytes(word, 1, 5)]
    assert sorted(hashes.tolist()) == sorted(expected)
