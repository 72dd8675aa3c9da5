from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import (
    Document,
    EmptyVocabulary,
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    build_index,
    default_registry,
)
from lexiclass.manifest import text_digest
from tests.support.easy_corpus import Corpus

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.tokenizers.sentencepiece import SentencePieceTokenizer

pytestmark = pytest.mark.heavy


def tokenizer(texts: list[str] | None = None, **parameters: Any) -> SentencePieceTokenizer:
    from lexiclass.plugins.tokenizers.sentencepiece import SentencePieceTokenizer

    context = PluginContext()
    made = default_registry().create(SentencePieceTokenizer, "sentencepiece", parameters, context)
    if texts is not None:
        made.fit(iter(texts))
    return made


TEXTS = ["the red apple and the green apple", "the fast car and the slow car"] * 3


def test_pieces_are_learned_from_the_texts() -> None:
    pieces = tokenizer(TEXTS, algorithm="bpe").tokenize("the apple car")
    assert pieces == ["▁the", "▁apple", "▁car"]
    assert "".join(tokenizer(TEXTS).tokenize("the Red CAR")) == "▁the▁red▁car"
    assert tokenizer(TEXTS, lowercase=False).tokenize("C") != tokenizer(TEXTS).tokenize("c")


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b"],
        ["red apple", "fast car"],
        ["...", " "],
        ["x" * 20_000, "y"],
        ["日本語の", "ภาษาไทย"],
        ["a\0b", "\t\n \v"],
        ["bad \ud800 half", "\udfff"],
    ],
)
def test_tiny_corpora_give_small_vocabularies(texts: list[str], algorithm: str) -> None:
    small = tokenizer(texts, algorithm=algorithm)
    assert small._processor.vocab_size() < 100
    assert all(small.tokenize(text) or not text.strip() for text in texts)


@pytest.mark.parametrize("texts", [[], [""], [" \n", "\t"]])
def test_texts_without_characters_are_an_error(texts: list[str]) -> None:
    with pytest.raises(EmptyVocabulary, match="are empty"):
        tokenizer(texts)


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_more_characters_than_pieces_are_refused(algorithm: str) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    with pytest.raises(InvalidParameters, match="Raise vocabulary_size"):
        tokenizer([text, text], algorithm=algorithm, vocabulary_size=20, character_coverage=1.0)


@pytest.fixture(scope="module")
def trained_pieces() -> SentencePieceTokenizer:
    return tokenizer(TEXTS)


@given(st.lists(st.text(max_size=30) | st.sampled_from(TEXTS), max_size=6))
def test_a_batch_gives_what_each_text_gives_alone(
    trained_pieces: SentencePieceTokenizer, texts: list[str]
) -> None:
    alone = [trained_pieces.tokenize(text) for text in texts]
    assert trained_pieces.tokenize_batch(texts) == alone


def test_it_must_learn_before_it_tokenizes() -> None:
    with pytest.raises(InvalidParameters, match="train the pipeline first"):
        tokenizer().tokenize("a")


def test_long_texts_are_read_to_the_end() -> None:
    # The trainer would skip a whole sentence of this length.
    text = "apple " * 2000 + "zebra " * 2000
    assert tokenizer([text, "b"], algorithm="bpe").tokenize("zebra") == ["▁zebra"]
    joined = "q" * 9000 + "zz" * 100
    assert tokenizer([joined, "b"]).tokenize("z")[-1].endswith("z")


def test_a_large_corpus_is_sampled() -> None:
    texts = [f"number{place} " * 50 for place in range(100)]
    sampled = tokenizer(texts, max_training_characters=10_000)
    assert sampled._model == tokenizer(texts, max_training_characters=10_000)._model
    assert sampled._model != tokenizer(texts)._model


_TRAIN = """
import hashlib
from lexiclass import PluginContext, Tokenizer, default_registry
made = default_registry().create(Tokenizer, "sentencepiece", {}, PluginContext())
made.fit([f"number {n} of words {n * n}" for n in range(300)])
print(hashlib.sha256(made._model).hexdigest())
"""


def test_two_trainings_give_the_same_bytes() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _TRAIN],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


def test_the_state_comes_back(trained_pieces: SentencePieceTokenizer, tmp_path: Path) -> None:
    trained_pieces.save(tmp_path)
    loaded = tokenizer()
    loaded.load(tmp_path)
    assert loaded.tokenize("the zebra") == trained_pieces.tokenize("the zebra")


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\xff" * 100])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(ModelCorrupt) as caught:
        tokenizer().load(tmp_path)
    assert caught.value.file == "tokenizer.model"


def test_there_is_no_index_of_learned_tokens(tmp_path: Path) -> None:
    documents = [Document(1, "a", text_digest("a"), "utf-8")]
    with pytest.raises(InvalidParameters, match="learns from the training texts"):
        build_index(tmp_path / "index", documents, tokenizer="sentencepiece")
    assert not (tmp_path / "index").exists()


def test_a_pipeline_learns_its_tokens_first(corpus: Corpus) -> None:
    pipeline = Pipeline(PipelineSpec(tokenizer="sentencepiece"))
    assert not pipeline.uses_tokens
    report = pipeline.fit(iter(corpus[0]), corpus[1])
    assert list(report.stage_seconds) == ["learn tokens", "tokenize", "features", "classifier"]
    assert pipeline.predict(["goal match team"]).labels == ["sports"]
    tokens = pipeline.tokenize(corpus[0])
    with pytest.raises(InvalidParameters, match="learns from the training texts"):
        Pipeline(pipeline.spec).fit_tokens(tokens, corpus[1], digests=["x"] * len(corpus[1]))
