from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass.plugins.tokenizers.pieces import cut_text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(4, 40))
def test_the_pieces_of_a_text_are_short_enough_and_make_the_text(text: str, limit: int) -> None:
    pieces = cut_text(text, limit)
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert all(pieces) or pieces == [""]


def test_a_text_without_a_limit_stays_whole() -> None:
    assert cut_text("a" * 100, None) == ["a" * 100]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("one two. three\n\nfour five", ["one two. three\n\n", "four five"]),
        ("one two. three\nfour five", ["one two. three\n", "four five"]),
        ("one, two, three. four five", ["one, two, three. ", "four five"]),
        ("one two three four fives", ["one two three four ", "fives"]),
        ("onetwothreefourfivesixseven", ["onetwothreefourfives", "ixseven"]),
    ],
)
def test_a_text_is_cut_at_the_best_place(text: str, pieces: list[str]) -> None:
    assert cut_text(text, 20) == pieces
