"""Texts that are long, or have no end of one kind: tokenized in bounded memory and linear time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import PluginContext, PluginType, Tokenizer, default_registry
from lexiclass.plugins.tokenizers import batches
from lexiclass.plugins.tokenizers.batches import encode_numbered, renumber
from lexiclass.plugins.tokenizers.spacy.word_splitters import cut_runs
from lexiclass.tokens import TokenMatrix, Vocabulary
from tests.support.tiny_encoder import write_tokenizer

PROSE = "It rained on Monday, and the market was closed. Nobody came! \n\n Was it open (again)? "


def make(name: str, tmp_path: Path, **parameters: Any) -> Tokenizer:
    if name == "huggingface":
        words = sorted(set(PROSE.lower().replace("(", " ( ").replace(")", " ) ").split()))
        parameters["model"] = str(write_tokenizer(tmp_path, [*words, "[UNK]"]))
    context = PluginContext(model_directory=tmp_path)
    made = default_registry().get(PluginType.TOKENIZER, name).create(parameters, context)
    assert isinstance(made, Tokenizer)
    if made.learns:
        made.fit([PROSE] * 20)
    return made


class Words:
    """Numbers words, and notes how much it is given at a time."""

    def __init__(self) -> None:
        self.most = 0

    def number(self, texts: Sequence[str], vocabulary: Vocabulary) -> TokenMatrix:
        self.most = max(self.most, sum(map(len, texts)))
        words = [text.split() for text in texts]
        distinct = sorted({word for some in words for word in some})
        numbers = np.array([distinct.index(word) for some in words for word in some], dtype=int)
        lengths = np.array(list(map(len, words)), dtype=np.int64)
        return renumber((numbers, lengths), distinct.__getitem__, vocabulary)


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "ccc\n", "d."])), max_size=6))
def test_texts_that_are_cut_have_the_words_they_have_whole(texts: list[list[str]]) -> None:
    joined = [" ".join(words) for words in texts]
    words = Words()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "PIECE_BYTES", 12)
        cut = encode_numbered(joined, None, batch_size=3, number=words.number)
    assert words.most <= 12
    whole = encode_numbered(joined, None, batch_size=3, number=Words().number)
    assert cut.to_lists() == whole.to_lists() == [text.split() for text in joined]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["spacy", "huggingface", "sentencepiece"])
def test_prose_that_is_cut_has_the_tokens_it_has_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = make(name, tmp_path)
    texts = [PROSE * 20, "", PROSE, "short"]
    whole = tokenizer.tokenize_batch(texts)
    monkeypatch.setattr(batches, "PIECE_BYTES", 300)
    assert tokenizer.tokenize_batch(texts) == whole


@pytest.mark.heavy
def test_a_limit_of_tokens_is_one_of_the_text_and_not_of_its_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = make("huggingface", tmp_path, max_tokens=7)
    whole = tokenizer.tokenize_batch([PROSE * 20])
    monkeypatch.setattr(batches, "PIECE_BYTES", 300)
    assert tokenizer.tokenize_batch([PROSE * 20]) == whole


SIGNS = st.text(alphabet="([{<#*_-=.,!?~\u2026\u0301\u200d\U0001f600 a\n", max_size=300)


@given(SIGNS)
def test_runs_are_cut_and_nothing_else(text: str) -> None:
    pieces = cut_runs(text)
    assert "".join(pieces) == text
    assert len(pieces) == 1 or all(len(piece) >= 32 for piece in pieces[:-1])
    assert all(pieces) or pieces == [""]


@pytest.mark.heavy
@given(st.sampled_from("([{<#*=!?,;"), st.integers(1, 150), st.sampled_from(["", "word ", " x"]))
def test_spacy_finds_the_same_signs_in_runs_that_are_cut(
    sign: str, number: int, around: str
) -> None:
    from lexiclass.plugins.tokenizers.spacy.tokenizer import SpacyTokenizer

    tokenizer = default_registry().create(
        SpacyTokenizer, "spacy", {"drop_punctuation": False}, PluginContext(locale="en")
    )
    tokens = tokenizer.tokenize(around + sign * number)
    assert "".join(tokens).count(sign) == number


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["icu", "spacy", "huggingface", "sentencepiece"])
@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "_-" * 50_000,
        "x" * 1_000_000,
        "e" + "\u0301" * 100_000,
        "http://" + "a/" * 100_000,
        "a." * 100_000,
        "\u3042" * 100_000,
        "\U0001f469\u200d" * 50_000,
        "\n" * 1_000_000,
    ],
    ids=["brackets", "lines", "letters", "marks", "address", "dots", "kana", "emoji", "newlines"],
)
def test_one_kind_of_character_without_end_is_done_with(
    name: str, text: str, tmp_path: Path
) -> None:
    """With a square in the length, one of these took a quarter of an hour and more."""
    tokenizer = make(name, tmp_path)
    assert len(tokenizer.encode([text, PROSE])) == 2
