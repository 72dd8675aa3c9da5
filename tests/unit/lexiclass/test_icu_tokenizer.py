from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icu4py.breakers import WordBreaker

from lexiclass import InvalidParameters, PluginContext, Vocabulary, default_registry
from lexiclass.plugins.tokenizers.icu import tokenizer as icu
from lexiclass.plugins.tokenizers.icu.tokenizer import IcuTokenizer


def tokenizer(locale: str = "en", **parameters: Any) -> IcuTokenizer:
    context = PluginContext(locale=locale)
    return default_registry().create(IcuTokenizer, "icu", parameters, context)


@pytest.mark.parametrize(
    ("locale", "text", "words"),
    [
        ("en", "Don't panic, it's 3.14!", ["don't", "panic", "it's", "3.14"]),
        ("de", "Größenwahn ist ÜBEL", ["größenwahn", "ist", "übel"]),
        ("th", "ภาษาไทยสวยงาม", ["ภาษา", "ไทย", "สวยงาม"]),
        ("zh", "我爱北京", ["我", "爱", "北京"]),
        ("ja", "日本語のテキスト", ["日本語", "の", "テキスト"]),
        ("tr", "IŞIK İstanbul", ["ışık", "istanbul"]),
        ("en", "ＡＢＣ ﬁne", ["abc", "fine"]),
        ("en", "a\0b 😀 — …", ["a", "b"]),
        ("en", "bad \ud800 half", ["bad", "half"]),
        ("en", "", []),
        ("en", " \n\t", []),
    ],
)
def test_words_are_found_by_language(locale: str, text: str, words: list[str]) -> None:
    assert tokenizer(locale).tokenize(text) == words


def test_parameters_change_the_words() -> None:
    assert tokenizer(lowercase=False).tokenize("Ab") == ["Ab"]
    assert tokenizer(min_length=2, max_length=3).tokenize("a bb ccc dddd") == ["bb", "ccc"]
    assert tokenizer(normalization=None).tokenize("e\u0301") == ["e\u0301"]
    assert tokenizer(normalization="NFC").tokenize("e\u0301 ｘ") == ["é", "ｘ"]


@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_batch_gives_what_each_text_gives_alone(texts: list[str]) -> None:
    icu_tokenizer = tokenizer()
    assert icu_tokenizer.tokenize_batch(texts) == [icu_tokenizer.tokenize(text) for text in texts]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_words_are_icu_segments_with_a_letter_or_number(text: str) -> None:
    segments = [segment for segment in WordBreaker(text, "en") if any(map(str.isalnum, segment))]
    # A vertical tab is a line break; as the separator of texts it is read as a new line.
    whole = tokenizer(normalization=None, lowercase=False, split_identifiers=False)
    assert whole.tokenize(text) == segments


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("numpy.linalg.norm", ["numpy", "linalg", "norm"]),
        ("max_iter, n_jobs", ["max", "iter", "n_jobs"]),
        ("DataFrame HTTPServer XMLHttpRequest", "data frame http server xml http request".split()),
        ("www.example.com", ["www", "example", "com"]),
        ("U.S. e.g. o_O iPhone McDonald", ["u.s", "e.g", "o_o", "iphone", "mcdonald"]),
        ("3.14 Don't __init__", ["3.14", "don't", "__init__"]),
    ],
)
def test_names_of_programs_and_networks_are_split_unless_they_are_to_be_whole(
    text: str, words: list[str]
) -> None:
    assert tokenizer().tokenize(text) == words
    whole = tokenizer(split_identifiers=False).tokenize(text)
    assert whole == [word.strip(".,").lower() for word in text.split()]


@given(st.text(alphabet="abAB._ 1", max_size=40))
def test_splitting_names_loses_no_letter(text: str) -> None:
    letters = [
        "".join(tokenizer(split_identifiers=split).tokenize(text)) for split in (True, False)
    ]
    without = [word.replace(".", "").replace("_", "") for word in letters]
    assert without[0] == without[1]


def test_long_streams_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icu, "_BATCH_CHARACTERS", 10)
    texts = ["alpha beta", "", "gamma alpha", "delta"] * 3
    assert tokenizer().encode(iter(texts)).to_lists() == [text.split() for text in texts]


def test_encoding_goes_on_from_a_vocabulary() -> None:
    vocabulary = Vocabulary(["beta"])
    tokens = tokenizer().encode(["alpha beta"], vocabulary)
    assert tokens.ids.tolist() == [1, 0]
    assert tokens.terms == ["beta", "alpha"]


@pytest.mark.parametrize("locale", ["", "english", "日本", "en us", "en\0", "../en"])
def test_a_bad_locale_is_refused(locale: str) -> None:
    with pytest.raises(InvalidParameters, match="language tag"):
        tokenizer(locale)


@pytest.mark.parametrize("locale", ["en", "en_US", "zh-Hant-TW", "yue", "es-419", "de-1996"])
def test_language_tags_are_accepted(locale: str) -> None:
    assert tokenizer(locale).tokenize("one two") == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("open 😀 now", ["open", "😀", "now"]),
        ("so😀😡", ["so", "😀", "😡"]),
        ("👨\u200d👩\u200d👧 🇩🇪🇫🇷 👍🏽", ["👨\u200d👩\u200d👧", "🇩🇪", "🇫🇷", "👍🏽"]),
        ("❤️ ❤", ["❤", "❤"]),
        ("fine :) or :-( or >:(", ["fine", ":)", "or", ":-(", "or", ">:("]),
        ("fine:) ^_^", ["fine", ":)", "^_^"]),
        ("what?! wait...", ["what", "?!", "wait", "..."]),
        ("5 € + $6, 50%.", ["5", "€", "+", "$", "6", "50", "%."]),
        ("«well», he said. (so)", ["well", "»,", "he", "said", "so"]),
        ("日本語。", ["日本語"]),
    ],
)
def test_symbols_are_words_where_they_are_kept(text: str, words: list[str]) -> None:
    assert tokenizer(keep_symbols=True).tokenize(text) == words


@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_batch_with_symbols_gives_what_each_text_gives_alone(texts: list[str]) -> None:
    icu_tokenizer = tokenizer(keep_symbols=True)
    assert icu_tokenizer.tokenize_batch(texts) == [icu_tokenizer.tokenize(text) for text in texts]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_keeping_symbols_loses_no_word(text: str) -> None:
    parameters: dict[str, Any] = {"normalization": None, "lowercase": False}
    words = tokenizer(**parameters).tokenize(text)
    kept = iter(tokenizer(keep_symbols=True, **parameters).tokenize(text))
    assert all(word.replace("\ufe0f", "").replace("\ufe0e", "") in kept for word in words)


@pytest.mark.parametrize("normalization", ["NFC", "NFKC"])
def test_marks_without_end_upon_a_letter_are_no_word_and_take_no_time(normalization: str) -> None:
    text = "one e" + "\u0301\u0323" * 500_000 + " two"
    assert tokenizer(normalization=normalization).tokenize(text) == ["one", "two"]
