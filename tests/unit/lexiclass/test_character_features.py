"""Runs of characters inside words as features."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiclass import (
    Document,
    DocumentIndex,
    EmptyVocabulary,
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    TokenMatrix,
    build_index,
    read_manifest,
)
from lexiclass.manifest import text_digest
from lexiclass.plugins.features.rows import scale_rows
from lexiclass.serialization import write_json
from tests.support.easy_corpus import Corpus
from tests.support.extractors import counting_extractor

WORDS = st.text(alphabet="ab\N{GREEK SMALL LETTER ALPHA}\N{GRINNING FACE}", min_size=1, max_size=5)
DOCUMENTS = st.lists(st.lists(WORDS, max_size=6), min_size=2, max_size=8)
LENGTHS = st.sampled_from([(1, 1), (1, 3), (2, 5), (3, 3), (4, 8)])


def runs(document: list[str], shortest: int, longest: int) -> Counter[str]:
    return Counter(
        f" {word} "[start : start + length]
        for word in document
        for length in range(shortest, longest + 1)
        for start in range(len(word) + 3 - length)
    )


def counters(matrix: csr_array, names: list[str]) -> list[Counter[str]]:
    return [
        Counter({names[column]: int(row[column]) for column in np.flatnonzero(row)})
        for row in matrix.toarray()
    ]


@given(DOCUMENTS, DOCUMENTS, LENGTHS)
def test_counts_equal_a_naive_count(
    train: list[list[str]], test: list[list[str]], lengths: tuple[int, int]
) -> None:
    if not any(runs(document, *lengths) for document in train):
        return
    bow = counting_extractor(analyzer="char_wb", char_ngram_range=lengths, min_df=1)
    counts = bow.fit_transform(TokenMatrix.from_lists(train))
    names = bow.feature_names()
    assert len(names) == bow.num_features() == len(set(names))
    assert counters(counts, names) == [runs(document, *lengths) for document in train]
    found = counters(bow.transform(TokenMatrix.from_lists(test)), names)
    assert found == [
        Counter({run: n for run, n in runs(document, *lengths).items() if run in names})
        for document in test
    ]


@given(DOCUMENTS, st.floats(0, 1), st.floats(0.01, 1), st.integers(1, 8))
def test_pruning_equals_naive_pruning(
    train: list[list[str]], min_df: float, max_df: float, most_features: int
) -> None:
    counts = [runs(document, 1, 3) for document in train]
    frequency = Counter(run for count in counts for run in count)
    totals = sum(counts, Counter())
    fewest = max(1, np.ceil(min_df * len(train)))
    most = max(fewest, int(max_df * len(train)))
    left = [run for run in frequency if fewest <= frequency[run] <= most]
    best = sorted(left, key=lambda run: (-totals[run], len(run), run))[:most_features]
    bow = counting_extractor(
        analyzer="char_wb",
        char_ngram_range=(1, 3),
        min_df=min_df,
        max_df=max_df,
        max_char_features=most_features,
    )
    tokens = TokenMatrix.from_lists(train)
    if not best:
        with pytest.raises(EmptyVocabulary, match="1 to 3 characters"):
            bow.fit_transform(tokens)
        return
    matrix = bow.fit_transform(tokens)
    assert sorted(bow.feature_names()) == sorted(best)
    np.testing.assert_array_equal(matrix.toarray(), bow.transform(tokens).toarray())


@given(DOCUMENTS)
def test_both_are_the_words_and_then_the_characters(train: list[list[str]]) -> None:
    tokens = TokenMatrix.from_lists([[*words, "there"] for words in train])
    parts = [counting_extractor(analyzer=analyzer, min_df=1) for analyzer in ("word", "char_wb")]
    both = counting_extractor(analyzer="both", min_df=1)
    expected = np.hstack([part.fit_transform(tokens).toarray() for part in parts])
    np.testing.assert_array_equal(both.fit_transform(tokens).toarray(), expected)
    assert both.feature_names() == [name for part in parts for name in part.feature_names()]


@given(DOCUMENTS, st.sampled_from(["l1", "l2"]))
def test_words_and_characters_weigh_the_same(train: list[list[str]], norm: str) -> None:
    tokens = TokenMatrix.from_lists([[*words, "there"] for words in train])
    tfidf = counting_extractor("tfidf", analyzer="both", min_df=1, norm=norm)
    rows = tfidf.fit_transform(tokens).toarray()
    num_words = counting_extractor("tfidf", min_df=1).fit_transform(tokens).shape[1]
    order = {"l1": 1, "l2": 2}[norm]
    halves = [np.linalg.norm(half, order, axis=1) for half in np.split(rows, [num_words], axis=1)]
    np.testing.assert_allclose(halves[0], halves[1], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, order, axis=1), 1, rtol=1e-5)


def test_kinds_are_scaled_where_a_row_lacks_one() -> None:
    rows = counting_extractor(min_df=1).fit_transform(
        TokenMatrix.from_lists([["a", "a", "b"], ["a"]])
    )
    assert scale_rows(rows.copy(), "l1", (1, 2)).toarray().tolist() == [[0.5, 0.5], [1, 0]]
    assert scale_rows(rows.copy(), "l1", (2, 2)).toarray()[1].tolist() == [1, 0]


@given(DOCUMENTS, st.sampled_from(["char_wb", "both"]))
def test_a_stored_vocabulary_counts_the_same(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[str]], analyzer: str
) -> None:
    tokens = TokenMatrix.from_lists([[*words, "there"] for words in documents])
    directory = tmp_path_factory.mktemp("features")
    tfidf = counting_extractor("tfidf", min_df=1, analyzer=analyzer)
    before = tfidf.fit_transform(tokens)
    tfidf.save(directory)
    loaded = counting_extractor("tfidf", min_df=1, analyzer=analyzer)
    loaded.load(directory)
    np.testing.assert_array_equal(loaded.transform(tokens).toarray(), before.toarray())
    assert loaded.feature_names() == tfidf.feature_names()


@pytest.mark.parametrize("characters", [["a", "bc"], ["a", ""], ["a", "a"], ["a", 1]])
def test_what_is_no_list_of_characters_is_refused(
    tmp_path: Path, characters: list[int | str] | list[str]
) -> None:
    bow = counting_extractor(analyzer="char_wb", char_ngram_range=(1, 1), min_df=1)
    bow.fit_transform(TokenMatrix.from_lists([["a"], ["aa"]]))
    bow.save(tmp_path)
    write_json(tmp_path / "characters.json", characters)
    with pytest.raises(ModelCorrupt):
        counting_extractor(analyzer="char_wb").load(tmp_path)


def test_a_model_of_words_is_none_of_characters(tmp_path: Path) -> None:
    bow = counting_extractor(min_df=1)
    bow.fit_transform(TokenMatrix.from_lists([["a"], ["b"]]))
    bow.save(tmp_path)
    with pytest.raises(ModelCorrupt, match=r"characters\.json"):
        counting_extractor(analyzer="both").load(tmp_path)


def test_words_are_known_where_they_are_features() -> None:
    tokens = TokenMatrix.from_lists([["abc", "abd", "abc"], [], ["xyz"]])
    for analyzer, expected in (("both", [3, 0, 1]), ("char_wb", None)):
        bow = counting_extractor(analyzer=analyzer, min_df=1)
        bow.fit_transform(tokens)
        known = bow.known_words(tokens)
        assert (None if known is None else known.tolist()) == expected


def test_words_that_nothing_else_has_still_share_characters() -> None:
    words = [f"entry{number}" for number in range(1000)]
    both = counting_extractor(analyzer="both")
    both.fit_transform(TokenMatrix.from_lists([[word] for word in words]))
    assert " entr" in both.feature_names()
    assert "entry7" not in both.feature_names()


@pytest.mark.parametrize(
    "parameters",
    [
        {"analyzer": "char"},
        {"char_ngram_range": (3, 2)},
        {"char_ngram_range": (1, 9)},
        {"max_char_features": 0},
        {"max_char_features": 10**8},
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters, match=next(iter(parameters))):
        counting_extractor(**parameters)


@pytest.mark.slow_variants
@pytest.mark.parametrize("analyzer", ["char_wb", "both"])
@pytest.mark.parametrize("features", ["bow", "tfidf"])
def test_an_index_and_texts_give_the_same_model_and_answers(
    tmp_path: Path, corpus: Corpus, features: str, analyzer: str
) -> None:
    texts, labels = corpus
    documents = [
        Document(number, text, text_digest(text), "utf-8") for number, text in enumerate(texts)
    ]
    build_index(tmp_path / "index", documents)
    index = DocumentIndex.open(tmp_path / "index")
    spec = PipelineSpec(feature_extractor=features, feature_extractor_params={"analyzer": analyzer})
    of_texts, of_index = Pipeline(spec), Pipeline(spec)
    of_texts.fit(texts, labels)
    digests = [index.digest_of(row) for row in range(len(texts))]
    of_index.fit_tokens(index.tokens(), labels, digests=digests)
    of_texts.save(tmp_path / "of texts")
    of_index.save(tmp_path / "of index")
    manifests = [read_manifest(tmp_path / name) for name in ("of texts", "of index")]
    assert manifests[0].files == manifests[1].files
    unseen = ["another text of no index", *texts[:3], ""]
    np.testing.assert_array_equal(
        of_texts.predict(unseen).probabilities, of_index.predict(unseen).probabilities
    )
    np.testing.assert_array_equal(
        of_texts.predict(texts).probabilities,
        of_index.predict_tokens(index.tokens()).probabilities,
    )
