from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from lexiclass import (
    EmptyVocabulary,
    InvalidParameters,
    ModelCorrupt,
    TokenMatrix,
)
from lexiclass.plugins.features.ngrams.vocabulary import NgramVocabulary
from lexiclass.plugins.features.rows import scale_rows
from lexiclass.serialization import read_all_arrays, write_arrays, write_json
from lexiclass.tokens import StableTerms
from tests.support.easy_corpus import Corpus
from tests.support.extractors import counting_extractor

WORDS = st.sampled_from(["a", "b", "c", "d"])
DOCUMENTS = st.lists(st.lists(WORDS, min_size=1, max_size=8), min_size=2, max_size=10)


def ngrams(document: list[str], shortest: int, longest: int) -> list[str]:
    return [
        " ".join(document[start : start + n])
        for n in range(shortest, longest + 1)
        for start in range(len(document) - n + 1)
    ]


def as_counters(matrix: csr_array, names: list[str]) -> list[Counter[str]]:
    return [
        Counter({names[column]: int(row[column]) for column in np.flatnonzero(row)})
        for row in matrix.toarray()
    ]


@given(DOCUMENTS, DOCUMENTS, st.sampled_from([(1, 1), (1, 2), (2, 2), (1, 3), (2, 4)]))
def test_counts_equal_a_naive_count(
    train: list[list[str]], test: list[list[str]], ngram_range: tuple[int, int]
) -> None:
    if not any(len(document) >= ngram_range[0] for document in train):
        return
    bow = counting_extractor(ngram_range=ngram_range, min_df=1)
    counts = bow.fit_transform(TokenMatrix.from_lists(train))
    names = bow.feature_names()
    assert len(names) == bow.num_features() == len(set(names))
    assert as_counters(counts, names) == [Counter(ngrams(d, *ngram_range)) for d in train]
    expected = [Counter(n for n in ngrams(d, *ngram_range) if n in names) for d in test]
    assert as_counters(bow.transform(TokenMatrix.from_lists(test)), names) == expected


@pytest.mark.parametrize("analyzer", ["word", "char_wb", "both"])
@given(DOCUMENTS, st.data())
def test_some_columns_have_the_names_they_have_among_all(
    analyzer: str, train: list[list[str]], data: st.DataObject
) -> None:
    bow = counting_extractor(analyzer=analyzer, ngram_range=(1, 3), min_df=1)
    if not any(train):
        return
    bow.fit_transform(TokenMatrix.from_lists(train))
    every = bow.feature_names()
    some = sorted(data.draw(st.sets(st.integers(0, len(every) - 1))))
    assert bow.feature_names(np.array(some, dtype=int)) == [every[column] for column in some]


@given(DOCUMENTS, st.floats(0, 1), st.floats(0.01, 1), st.integers(1, 6))
def test_pruning_equals_naive_pruning(
    train: list[list[str]], min_df: float, max_df: float, max_features: int
) -> None:
    counts = [Counter(ngrams(document, 1, 2)) for document in train]
    frequency = Counter(name for count in counts for name in count)
    totals = sum(counts, Counter())
    fewest = max(1, np.ceil(min_df * len(train)))
    most = max(fewest, int(max_df * len(train)))
    left = [name for name in frequency if fewest <= frequency[name] <= most]
    best = sorted(left, key=lambda name: (-totals[name], name.count(" "), name))[:max_features]
    bow = counting_extractor(
        ngram_range=(1, 2), min_df=min_df, max_df=max_df, max_features=max_features
    )
    tokens = TokenMatrix.from_lists(train)
    if not best:
        with pytest.raises(EmptyVocabulary):
            bow.fit_transform(tokens)
        return
    matrix = bow.fit_transform(tokens)
    assert sorted(bow.feature_names()) == sorted(best)
    np.testing.assert_array_equal(matrix.toarray(), bow.transform(tokens).toarray())


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_columns_do_not_depend_on_the_order_of_documents(
    train: list[list[str]], source: random.Random
) -> None:
    shuffled = source.sample(train, len(train))
    names = []
    for documents in (train, shuffled):
        bow = counting_extractor(ngram_range=(1, 3), min_df=1)
        bow.fit_transform(TokenMatrix.from_lists(documents))
        names.append(bow.feature_names())
    assert names[0] == names[1]


@pytest.mark.parametrize("smooth_idf", [True, False])
@pytest.mark.parametrize("sublinear_tf", [True, False])
@pytest.mark.parametrize("norm", ["l1", "l2", None])
def test_tfidf_equals_scikit_learn(
    corpus: Corpus, smooth_idf: bool, sublinear_tf: bool, norm: str | None
) -> None:
    documents = [text.lower().split() for text in corpus[0]]
    parameters = {"smooth_idf": smooth_idf, "sublinear_tf": sublinear_tf, "norm": norm}
    ours = counting_extractor("tfidf", min_df=1, run_weight=1.0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = TfidfVectorizer(analyzer=lambda d: ngrams(d, 1, 2), **parameters)
        expected = theirs.fit_transform(documents)
    matrix = ours.fit_transform(TokenMatrix.from_lists(documents))
    order = [theirs.vocabulary_[name] for name in ours.feature_names()]
    np.testing.assert_allclose(matrix.toarray(), expected.toarray()[:, order], rtol=1e-5)
    assert matrix.dtype == np.float32


@pytest.mark.parametrize("num_documents", [2, 5, 10, 99])
def test_the_default_min_df_leaves_small_corpora_their_words(num_documents: int) -> None:
    documents = [[f"word{number}"] for number in range(num_documents)]
    for name in ("bow", "tfidf"):
        features = counting_extractor(name).fit_transform(TokenMatrix.from_lists(documents))
        assert features.shape == (num_documents, num_documents)


def test_min_df_applies_in_full_to_larger_corpora() -> None:
    documents = [["common", f"word{number}"] for number in range(1000)]
    bow = counting_extractor()
    bow.fit_transform(TokenMatrix.from_lists(documents))
    assert bow.feature_names() == ["common"]


def test_min_df_is_eased_where_classes_are_small() -> None:
    documents = [["common", f"word{number}"] for number in range(1000)]
    bow = counting_extractor()
    bow.num_classes = 21
    bow.fit_transform(TokenMatrix.from_lists(documents))
    assert len(bow.feature_names()) == 1001


def test_runs_of_one_document_are_features_of_few_documents_alone() -> None:
    documents = [["all", "of", f"w{number}"] for number in range(5000)]
    tfidf = counting_extractor("tfidf")
    tfidf.fit_transform(TokenMatrix.from_lists(documents[:4999]))
    assert {"w7", "all of", "of w7"} <= set(tfidf.feature_names())
    rows = tfidf.fit_transform(TokenMatrix.from_lists(documents))
    names = tfidf.feature_names()
    assert ("w7" in names, "all of" in names, "of w7" in names) == (True, True, False)
    assert len(names) == 5003
    # Nor would they be, had a document less been read.
    kept = np.arange(5000) != 7
    assert tfidf.relearned(rows, kept)(rows)[:, [names.index("w7")]].nnz == 0


@pytest.mark.parametrize("name", ["bow", "tfidf"])
def test_runs_of_few_documents_are_no_rarer_than_words(name: str) -> None:
    documents = [["all", "of", f"w{number // 3}"] for number in range(3000)]
    extractor = counting_extractor(name, min_df=2, ngram_range=(1, 2))
    names = extractor.fit_transform(TokenMatrix.from_lists([*documents, ["all", "w7", "all"]]))
    assert not {"all w7", "w7 all"} & set(extractor.feature_names())
    assert "of w7" in extractor.feature_names()
    assert names.shape[1] == 2003


@pytest.mark.parametrize("analyzer", ["word", "both"])
def test_runs_of_several_words_weigh_less_beside_words(analyzer: str) -> None:
    tokens = TokenMatrix.from_lists([["a", "b"], ["a", "b"], ["c"]])
    parameters: dict[str, Any] = {"min_df": 1, "norm": None, "analyzer": analyzer}
    plain = counting_extractor("tfidf", run_weight=1.0, **parameters)
    counted = plain.fit_transform(tokens)
    whole = counted.toarray()
    lighter = counting_extractor("tfidf", run_weight=0.5, **parameters)
    rows = lighter.fit_transform(tokens)
    is_run = np.array([name == "a b" for name in plain.feature_names()])
    assert is_run.sum() == 1
    np.testing.assert_allclose(rows.toarray(), np.where(is_run, whole / 2, whole), rtol=1e-6)
    # And just as much to whoever has read fewer documents.
    kept = np.array([True, True, False])
    fewer = lighter.relearned(rows, kept)(rows).toarray()
    all_of_them = plain.relearned(counted, kept)(counted).toarray()
    np.testing.assert_allclose(fewer, np.where(is_run, all_of_them / 2, all_of_them), rtol=1e-6)


def test_runs_weigh_the_same_where_words_are_no_features() -> None:
    tokens = TokenMatrix.from_lists([["a", "b"], ["a", "b", "c"]])
    rows = [
        counting_extractor("tfidf", min_df=1, norm=None, ngram_range=(2, 2), run_weight=weight)
        .fit_transform(tokens)
        .toarray()
        for weight in (0.5, 1.0)
    ]
    np.testing.assert_array_equal(rows[0], rows[1])


def test_runs_are_in_no_fewer_documents_than_words() -> None:
    documents = [["all", "of", f"w{number // 3}"] for number in range(3000)]
    tfidf = counting_extractor("tfidf", min_df=4, min_df_runs=2)
    tfidf.fit_transform(TokenMatrix.from_lists(documents))
    assert tfidf.feature_names() == ["all", "of", "all of"]


def test_absolute_document_limits() -> None:
    documents = [["all", "half" if n % 2 else "other", f"w{n}"] for n in range(1000)]
    bow = counting_extractor(min_df=2, max_df=600)
    bow.fit_transform(TokenMatrix.from_lists(documents))
    assert bow.feature_names() == ["half", "other"]


def test_binary_counts() -> None:
    bow = counting_extractor(binary=True)
    assert bow.fit_transform(TokenMatrix.from_lists([["a", "a"], ["b"]])).max() == 1


def test_nothing_left_says_why() -> None:
    with pytest.raises(EmptyVocabulary, match=r"2 documents with 0 tokens.*widen min_df") as caught:
        counting_extractor().fit_transform(TokenMatrix.from_lists([[], []]))
    assert caught.value.details["num_documents"] == 2


def test_a_vocabulary_holds_no_more_than_its_features_need() -> None:
    bow = counting_extractor(ngram_range=(2, 2), min_df=1, max_features=1)
    bow.fit_transform(TokenMatrix.from_lists([["a", "b", "c"], ["a", "b"]]))
    assert bow.feature_names() == ["a b"]
    (words,) = bow._features.kinds
    assert isinstance(words, NgramVocabulary)
    assert words.terms == ["a", "b"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"ngram_range": (2, 1)},
        {"ngram_range": (0, 1)},
        {"min_df": -1},
        {"min_df": 1.5},
        {"max_df": 0.0},
        {"max_features": 0},
        {"unknown": 1},
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters, match=next(iter(parameters))):
        counting_extractor(**parameters)


@given(DOCUMENTS)
def test_a_stored_vocabulary_counts_the_same(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[str]]
) -> None:
    tokens = TokenMatrix.from_lists(documents)
    directory = tmp_path_factory.mktemp("features")
    tfidf = counting_extractor("tfidf", min_df=1, ngram_range=(1, 3))
    before = tfidf.fit_transform(tokens)
    tfidf.save(directory)
    loaded = counting_extractor("tfidf", min_df=1, ngram_range=(1, 3))
    loaded.load(directory)
    np.testing.assert_array_equal(loaded.transform(tokens).toarray(), before.toarray())
    assert loaded.feature_names() == tfidf.feature_names()


Arrays = dict[str, NDArray[Any]]


def spoil(**changes: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        for name, value in changes.items():
            arrays[name] = np.array(value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        spoil(columns_1=[0]),
        spoil(columns_1=[0, 0]),
        spoil(columns_1=[0, -2]),
        spoil(keys_2=[4]),
        spoil(keys_2=[-1]),
        spoil(keys_2=[1, 1], columns_2=[2, 3]),
        spoil(columns_2=[5]),
        spoil(columns_2=[2.0]),
        lambda arrays: arrays.pop("keys_2"),
        lambda arrays: arrays.clear(),
    ],
)
def test_arrays_that_make_no_vocabulary_are_refused(
    tmp_path: Path, change: Callable[[Arrays], object]
) -> None:
    bow = counting_extractor(ngram_range=(1, 2), min_df=1)
    bow.fit_transform(TokenMatrix.from_lists([["a", "b"], ["a"]]))
    bow.save(tmp_path)
    arrays = read_all_arrays(tmp_path / "ngrams.safetensors")
    change(arrays)
    write_arrays(tmp_path / "ngrams.safetensors", arrays)
    with pytest.raises(ModelCorrupt):
        NgramVocabulary.load(tmp_path)


@pytest.mark.parametrize("terms", [["a", "a"], ["a", 1], "ab"])
def test_terms_that_make_no_vocabulary_are_refused(
    tmp_path: Path, terms: list[int | str] | list[str] | str
) -> None:
    bow = counting_extractor(min_df=1)
    bow.fit_transform(TokenMatrix.from_lists([["a", "b"], ["a"]]))
    bow.save(tmp_path)
    write_json(tmp_path / "terms.json", terms)
    with pytest.raises(ModelCorrupt):
        NgramVocabulary.load(tmp_path)


def test_weights_must_fit_the_vocabulary(tmp_path: Path) -> None:
    tfidf = counting_extractor("tfidf")
    tfidf.fit_transform(TokenMatrix.from_lists([["a", "b"], ["a"]]))
    tfidf.save(tmp_path)
    write_arrays(tmp_path / "idf.safetensors", {"idf": np.ones(1, np.float32)})
    with pytest.raises(ModelCorrupt, match="one weight per feature"):
        counting_extractor("tfidf").load(tmp_path)


def test_rows_without_features_stay_empty() -> None:
    counts = counting_extractor(min_df=1).fit_transform(TokenMatrix.from_lists([["a"], []]))
    assert scale_rows(counts, "l2").toarray().tolist() == [[1.0], [0.0]]


class Watched(StableTerms):
    """Terms that count how often they are gone through."""

    __slots__ = ("readings",)

    def __init__(self, terms: list[str]) -> None:
        super().__init__(terms)
        self.readings = 0

    def __iter__(self) -> Iterator[str]:
        self.readings += 1
        return super().__iter__()


def test_the_terms_of_an_index_are_looked_up_once_for_many_batches() -> None:
    bow = counting_extractor(ngram_range=(1, 2), min_df=1)
    bow.fit_transform(TokenMatrix.from_lists([["a", "b"], ["b", "c"]]))
    index, other = Watched(["c", "x", "b", "a"]), Watched(["b", "a"])
    for terms in (index, index, other, index, other, other):
        ids = np.array([1, 0], dtype=np.int32)
        batch = TokenMatrix(terms, ids, np.array([0, 2]))
        expected = bow.transform(TokenMatrix.from_lists([[terms[1], terms[0]]]))
        np.testing.assert_array_equal(bow.transform(batch).toarray(), expected.toarray())
    assert (index.readings, other.readings) == (2, 2)
