from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import (
    InvalidParameters,
    PluginContext,
    PluginMismatch,
    PluginUnavailable,
    default_registry,
)
from lexiclass.compatibility import check_versions

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.tokenizers.spacy.tokenizer import SpacyTokenizer

pytestmark = pytest.mark.heavy


def tokenizer(locale: str = "en", **parameters: Any) -> SpacyTokenizer:
    from lexiclass.plugins.tokenizers.spacy.tokenizer import SpacyTokenizer

    context = PluginContext(locale=locale)
    return default_registry().create(SpacyTokenizer, "spacy", parameters, context)


@pytest.mark.parametrize(
    ("locale", "text", "words"),
    [
        ("en", "Don't panic, it's 3.14!", ["do", "n't", "panic", "it", "'s", "3.14"]),
        ("en-US", "U.S. firms", ["u.s.", "firms"]),
        ("de", "Größenwahn, z.B. hier", ["größenwahn", "z.b.", "hier"]),
        ("fr", "L'été arrive.", ["l'", "été", "arrive"]),
        ("es", "¿Qué tal, Sr. Pérez?", ["qué", "tal", "sr.", "pérez"]),
        ("it", "Dell'acqua, c'è!", ["dell'", "acqua", "c'", "è"]),
        ("pt-BR", "Cães, sim.", ["cães", "sim"]),
        ("hi", "यह हिन्दी है।", ["यह", "हिन्दी", "है"]),
        ("zh", "你好。", ["你", "好"]),
        ("en", "one \n\n two", ["one", "two"]),
        ("en", "", []),
        ("en", "...", []),
        ("en", "bad \ud800 half", ["bad", "half"]),
    ],
)
def test_words_are_found_by_language(locale: str, text: str, words: list[str]) -> None:
    assert tokenizer(locale).tokenize(text) == words


def test_parameters_change_the_words() -> None:
    text = "The  Cats, sat"
    assert tokenizer(lowercase=False).tokenize(text) == ["The", "Cats", "sat"]
    assert tokenizer(drop_stop_words=True).tokenize(text) == ["cats", "sat"]
    assert tokenizer(drop_punctuation=False).tokenize(text) == ["the", "cats", ",", "sat"]
    assert tokenizer(drop_spaces=False).tokenize(text) == ["the", " ", "cats", "sat"]
    assert tokenizer("qq", language="xx").tokenize(text) == ["the", "cats", "sat"]


@given(st.lists(st.text(max_size=30), max_size=6), st.integers(1, 3))
def test_a_batch_gives_what_each_text_gives_alone(
    english: SpacyTokenizer, texts: list[str], batch_size: int
) -> None:
    english._parameters = english._parameters.model_copy(update={"batch_size": batch_size})
    assert english.tokenize_batch(texts) == [english.tokenize(text) for text in texts]


@pytest.fixture(scope="module")
def english() -> SpacyTokenizer:
    return tokenizer()


def test_a_long_life_needs_no_more_memory(english: SpacyTokenizer) -> None:
    def known() -> tuple[int, int]:
        # len(vocab) counts what was forgotten, too.
        return len(english._nlp.vocab.strings), sum(1 for _ in english._nlp.vocab)

    english.tokenize("warm up")
    before = known()
    for number in range(20):
        texts = [f"word{number}x{place}, other{place}y{number}" for place in range(50)]
        assert len(english.encode(texts).ids) == 100
    assert known() == before


def test_a_text_longer_than_spacys_limit_is_read() -> None:
    assert len(tokenizer().tokenize("ab " * 400_000)) == 400_000


def test_an_unknown_language_says_what_to_do() -> None:
    with pytest.raises(InvalidParameters, match=r"tokenizer 'icu'.*'xx'.*spacy\.io"):
        tokenizer("qqq")


@pytest.mark.parametrize("locale", ["th", "vi"])
def test_a_language_that_needs_another_package_says_which(locale: str) -> None:
    with pytest.raises(PluginUnavailable, match=r"needs more packages.*(?i:pythainlp|pyvi)"):
        tokenizer(locale)


def test_a_model_that_is_not_installed_says_how_to_get_it() -> None:
    with pytest.raises(PluginUnavailable, match="'en_no_such_thing' can't be loaded"):
        tokenizer(model="en_no_such_thing")


@pytest.mark.parametrize("model", ["../en_core_web_sm", "/tmp/model", "en", "os", "EN_x"])
def test_a_model_is_a_name_never_a_path(model: str) -> None:
    with pytest.raises(InvalidParameters, match="model"):
        tokenizer(model=model)


def test_an_installed_package_that_is_no_pipeline_is_refused(pipeline_package: Path) -> None:
    (pipeline_package / "__init__.py").write_text("")
    sys.modules.pop("en_tiny_lemmas", None)
    with pytest.raises(PluginUnavailable, match="en_tiny_lemmas"):
        tokenizer(model="en_tiny_lemmas")


def test_lemmas_need_a_lemmatizer() -> None:
    with pytest.raises(InvalidParameters, match="no lemmatizer"):
        tokenizer(lemma=True)


@pytest.fixture
def pipeline_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a trained pipeline with a lemmatizer, as ``spacy package`` makes one."""
    import spacy
    from spacy.lookups import Lookups

    nlp = spacy.blank("en")
    lookups = Lookups()
    lookups.add_table("lemma_lookup", {"cats": "cat", "sat": "sit", "was": "be"})
    nlp.add_pipe("lemmatizer", config={"mode": "lookup"}).initialize(lookups=lookups)
    nlp.meta["name"], nlp.meta["version"] = "tiny_lemmas", "3.8.1"
    package = tmp_path / "en_tiny_lemmas"
    package.mkdir()
    nlp.to_disk(package / "data")
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        "from spacy.util import load_model_from_path\n"
        "def load(**options):\n"
        "    return load_model_from_path(Path(__file__).parent / 'data', **options)\n"
    )
    metadata = tmp_path / "en_tiny_lemmas-3.8.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: en_tiny_lemmas\nVersion: 3.8.1\n"
    )
    (metadata / "entry_points.txt").write_text("[spacy_models]\nen_tiny_lemmas = en_tiny_lemmas\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    sys.modules.pop("en_tiny_lemmas", None)


def test_a_trained_pipeline_gives_lemmas(pipeline_package: Path) -> None:
    lemmas = tokenizer(model="en_tiny_lemmas", lemma=True)
    assert lemmas.tokenize("Cats sat. It was X") == ["cats", "sit", "it", "be", "x"]
    assert lemmas.versions()["en_tiny_lemmas"] == "3-8-1"
    assert tokenizer(model="en_tiny_lemmas").tokenize("Cats sat") == ["cats", "sat"]
    with pytest.raises(InvalidParameters, match="for the language 'en', the documents are in 'de'"):
        tokenizer("de", model="en_tiny_lemmas")


def test_no_package_is_imported_that_is_no_pipeline(
    pipeline_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request names it: an installed package need not be there for that."""
    (pipeline_package.parent / "en_tiny_lemmas-3.8.1.dist-info" / "entry_points.txt").unlink()
    with pytest.raises(PluginUnavailable, match="none of spaCy's pipelines"):
        tokenizer(model="en_tiny_lemmas")
    assert "en_tiny_lemmas" not in sys.modules


# spaCy calls what SudachiPy 0.7 has renamed.
sudachi = pytest.mark.filterwarnings("ignore:Dictionary.create:DeprecationWarning")


@sudachi
def test_a_text_longer_than_its_library_takes_is_split_in_pieces() -> None:
    sentence = "今日は店が開きました。"
    japanese = tokenizer("ja")
    words = japanese.tokenize(sentence)
    assert len(words) > 3
    # 33 bytes each, so several times what Sudachi takes; below without any end of a sentence.
    long = sentence * 10_000
    assert japanese.tokenize_batch(["短い", long, "文"]) == [
        japanese.tokenize("短い"),
        words * 10_000,
        japanese.tokenize("文"),
    ]
    assert len(japanese.tokenize("あ" * 100_000)) > 1


@sudachi
def test_what_splits_the_words_is_part_of_the_identity() -> None:
    versions = tokenizer("ja").versions()
    assert versions.keys() == {"spaCy", "SudachiPy", "SudachiDict-core"}
    with pytest.raises(PluginMismatch, match="SudachiDict-core 20200101"):
        check_versions("tokenizer", {**versions, "SudachiDict-core": "20200101"}, versions)
    assert tokenizer("en").versions().keys() == {"spaCy"}
