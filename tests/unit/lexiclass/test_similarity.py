from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import (
    Document,
    DocumentIndex,
    InvalidParameters,
    PluginMismatch,
    SimilaritySearch,
    build_index,
)
from lexiclass.index.similarity import nearest
from lexiclass.index.similarity.nearest import Neighbour
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.manifest import text_digest
from tests.support.variants import examples

TEXTS = {
    10: "red apple red apple",
    20: "red apple",
    30: "green apple",
    40: "blue sky",
    50: "",
    60: "green apple",
}


def build(directory: Path, texts: dict[int, str]) -> DocumentIndex:
    documents = [
        Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()
    ]
    build_index(directory, documents)
    return DocumentIndex.open(directory)


def naive(index_texts: dict[int, str], text: str) -> dict[int, float]:
    """Similarity of every document, by the definition and with dictionaries."""
    counts = {number: Counter(content.split()) for number, content in index_texts.items()}
    frequency = Counter(term for count in counts.values() for term in count)

    def weigh(count: Counter[str]) -> dict[str, float]:
        weights = {
            term: (1 + log(n)) * (log((1 + len(counts)) / (1 + frequency[term])) + 1)
            for term, n in count.items()
        }
        length = sqrt(sum(weight**2 for weight in weights.values()))
        return {term: weight / length for term, weight in weights.items()}

    query = weigh(Counter(text.split()))
    return {
        number: sum(query.get(term, 0.0) * weight for term, weight in weigh(count).items())
        for number, count in counts.items()
    }


def best(similarities: dict[int, float], limit: int) -> list[tuple[int, float]]:
    rounded = {number: round(value, 9) for number, value in similarities.items() if value > 0}
    return sorted(rounded.items(), key=lambda item: (-item[1], item[0]))[:limit]


def assert_close(found: Sequence[Neighbour], expected: list[tuple[int, float]]) -> None:
    assert [near.id for near in found] == [number for number, _ in expected]
    cosines = [cosine for _, cosine in expected]
    assert [near.similarity for near in found] == pytest.approx(cosines, abs=2e-9)


WORDS = st.lists(st.sampled_from("a b c d e f".split()), max_size=6).map(" ".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.dictionaries(st.integers(-5, 40), WORDS, min_size=1, max_size=12),
    query=st.lists(st.sampled_from("a b c unknown other".split()), max_size=6).map(" ".join),
    limit=st.integers(1, 6),
    max_cells=st.sampled_from([1, 20, 10_000]),
)
def test_it_finds_what_the_definition_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[int, str],
    query: str,
    limit: int,
    max_cells: int,
) -> None:
    monkeypatch.setattr(nearest, "MAX_CELLS", max_cells)
    build_index(
        tmp_path / "i",
        [Document(n, text, text_digest(text), "utf-8") for n, text in texts.items()],
        is_incremental=False,
    )
    search = SimilaritySearch(DocumentIndex.open(tmp_path / "i"))
    found = search.by_texts([query, *texts.values()], limit=limit)
    for text, neighbours in zip([query, *texts.values()], found, strict=True):
        assert_close(neighbours, best(naive(texts, text), limit))
    for number, neighbours in zip(texts, search.by_ids(list(texts), limit=limit), strict=True):
        others = {n: value for n, value in naive(texts, texts[number]).items() if n != number}
        assert_close(neighbours, best(others, limit))


def test_equal_documents_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    search = SimilaritySearch(build(tmp_path / "i", TEXTS))
    (neighbours,) = search.by_texts(["green apple"], limit=2)
    assert neighbours == [(30, 1.0), (60, 1.0)]
    assert [n.id for n in search.by_ids([60])[0]][:1] == [30]


def test_what_shares_nothing_is_not_similar(tmp_path: Path) -> None:
    search = SimilaritySearch(build(tmp_path / "i", TEXTS))
    assert search.by_ids([40, 50]) == [[], []]
    assert search.by_texts(["", "unknown words"]) == [[], []]
    assert search.by_texts([]) == search.by_ids([]) == []


def test_words_that_the_index_does_not_have_count_against_a_text(tmp_path: Path) -> None:
    search = SimilaritySearch(build(tmp_path / "i", TEXTS))
    (known,), (with_unknown,) = search.by_texts(["blue sky", "blue sky unknown"])
    assert known == (40, 1.0)
    assert with_unknown.id == 40
    assert with_unknown.similarity < 0.9


def test_results_do_not_depend_on_how_the_index_came_about(tmp_path: Path) -> None:
    build(tmp_path / "grown", {10: "sky unused words", 99: "gone"})
    build(tmp_path / "grown", dict(reversed(TEXTS.items())))
    grown = SimilaritySearch(DocumentIndex.open(tmp_path / "grown"))
    fresh = SimilaritySearch(build(tmp_path / "fresh", TEXTS))
    assert grown.by_ids(list(TEXTS)) == fresh.by_ids(list(TEXTS))
    assert grown.by_texts(["red sky gone"]) == fresh.by_texts(["red sky gone"])


def test_an_absent_document_is_named(tmp_path: Path) -> None:
    search = SimilaritySearch(build(tmp_path / "i", TEXTS))
    with pytest.raises(InvalidParameters, match="no document 11, 12") as caught:
        search.by_ids([10, 11, 12])
    assert caught.value.details == {"absent": [11, 12], "num_absent": 2}
    with pytest.raises(InvalidParameters, match="at least 1"):
        search.by_ids([10], limit=0)


def test_texts_are_not_tokenized_by_another_version(tmp_path: Path) -> None:
    build(tmp_path / "i", TEXTS)
    manifest = IndexManifest.read(tmp_path / "i")
    older = manifest.model_copy(update={"tokenizer_versions": {"ICU": "1.0"}})
    older.write(tmp_path / "i", announce=lambda _: None)
    search = SimilaritySearch(DocumentIndex.open(tmp_path / "i"))
    assert search.by_ids([20], limit=1)[0][0].id == 10
    with pytest.raises(PluginMismatch, match="ICU"):
        search.by_texts(["apple"])


def test_an_index_says_what_is_like_a_document_or_a_text(tmp_path: Path) -> None:
    index = build(tmp_path / "i", TEXTS)
    assert index.similar(30, k=1) == [(60, 1.0)]
    assert index.similar("green apple", k=2) == [(30, 1.0), (60, 1.0)]
    assert index.similar("green apple") == index.search.by_texts(["green apple"])[0]
    assert index.search is index.search
    with pytest.raises(InvalidParameters, match="no document 31"):
        index.similar(31)
    with pytest.raises(InvalidParameters, match="at least 1"):
        index.similar(30, k=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30))
@given(texts=st.dictionaries(st.integers(-5, 40), WORDS, min_size=1, max_size=8))
def test_a_text_is_entirely_like_itself(tmp_path: Path, texts: dict[int, str]) -> None:
    build_index(
        tmp_path / "i",
        [Document(n, text, text_digest(text), "utf-8") for n, text in texts.items()],
        is_incremental=False,
    )
    index = DocumentIndex.open(tmp_path / "i")
    for number, text in texts.items():
        same = [n for n, similarity in index.similar(text, k=100) if similarity == 1.0]
        assert (number in same) == bool(text)
