from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lexiclass import Document, DocumentIndex, InvalidParameters, build_index, find_duplicates
from lexiclass.cli import app
from lexiclass.index import near_duplicates_of
from lexiclass.index.similarity import pairs
from lexiclass.index.similarity.weights import weigh_among_themselves
from lexiclass.manifest import text_digest

WORDS = st.lists(st.sampled_from("a b c d e f g h".split()), max_size=8).map(" ".join)
TEXTS = st.dictionaries(st.integers(-5, 60), WORDS, min_size=1, max_size=16)
THRESHOLDS = st.sampled_from([0.05, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0])


def build(directory: Path, texts: dict[int, str]) -> DocumentIndex:
    documents = [
        Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()
    ]
    build_index(directory, documents, is_incremental=False)
    return DocumentIndex.open(directory)


def all_cosines(index: DocumentIndex, ids: list[int]) -> dict[frozenset[int], float]:
    """The similarity of every two documents, weighed among each other."""
    counts = index.counts(index.rows_of(ids))
    weights = weigh_among_themselves(counts).toarray()
    cosines = np.minimum((weights @ weights.T).round(9), 1.0)
    return {
        frozenset((ids[a], ids[b])): float(cosines[a, b])
        for a, b in combinations(range(len(ids)), 2)
    }


def connected(ids: list[int], edges: set[frozenset[int]]) -> list[list[int]]:
    groups = {number: {number} for number in ids}
    for edge in edges:
        first, second = edge
        joined = groups[first] | groups[second]
        for number in joined:
            groups[number] = joined
    several = {tuple(sorted(group)) for group in groups.values() if len(group) > 1}
    return sorted(map(list, several))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, threshold=THRESHOLDS, block=st.sampled_from([1, 3, 1000]))
def test_groups_are_those_of_comparing_every_two_documents(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[int, str],
    threshold: float,
    block: int,
) -> None:
    monkeypatch.setattr(pairs, "_BLOCK", block)
    index = build(tmp_path / "i", texts)
    ids = sorted(texts)
    cosines = all_cosines(index, ids)
    edges = {pair for pair, cosine in cosines.items() if cosine >= threshold}
    edges |= {pair for pair in cosines if len({texts[number] for number in pair}) == 1}

    groups = find_duplicates(index, threshold=threshold)

    assert [[document.id for document in group] for group in groups] == connected(ids, edges)
    for first, *others in groups:
        assert (first.similarity, first.is_identical) == (1.0, True)
        for other in others:
            assert other.is_identical == (texts[other.id] == texts[first.id])
            cosine = 1.0 if other.is_identical else cosines[frozenset((first.id, other.id))]
            assert other.similarity == pytest.approx(cosine, abs=2e-9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=TEXTS,
    threshold=THRESHOLDS,
    block=st.sampled_from([1, 3, 1000]),
    share=st.floats(0, 1),
)
def test_what_is_like_one_of_others_is_found_as_by_comparing_all(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[int, str],
    threshold: float,
    block: int,
    share: float,
) -> None:
    monkeypatch.setattr(pairs, "_BLOCK", block)
    index = build(tmp_path / "i", texts)
    ids = sorted(texts)
    cut = round(share * len(ids))
    tested, trained = ids[:cut], ids[cut:]
    cosines = all_cosines(index, ids)
    expected = [
        number
        for number in tested
        if any(
            cosines[frozenset((number, other))] >= threshold or texts[number] == texts[other]
            for other in trained
        )
    ]

    found = near_duplicates_of(index, tested, [*trained, 999], threshold=threshold)

    assert found.tolist() == expected


def test_a_search_among_many_blocks_leaves_no_pair_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "_BLOCK", 50)
    monkeypatch.setattr(pairs, "_PAIRS", 7)
    source = np.random.default_rng(3)
    words = [f"w{number}" for number in range(400)]
    chances = 1 / np.arange(1, 401)
    texts = {}
    for number in range(300):
        chosen = source.choice(words, size=30, p=chances / chances.sum())
        texts[number] = " ".join(chosen)
        if number % 10 == 9:  # nearly the one before
            before = texts[number - 1].split()
            before[int(source.integers(30))] = str(source.choice(words))
            texts[number] = " ".join(before)
    index = build(tmp_path / "i", texts)
    cosines = all_cosines(index, sorted(texts))
    for threshold in (0.4, 0.8):
        edges = {pair for pair, cosine in cosines.items() if cosine >= threshold}
        groups = find_duplicates(index, threshold=threshold)
        assert len(groups) > 5
        found = [[document.id for document in group] for group in groups]
        assert found == connected(sorted(texts), edges)


def test_the_same_words_in_another_order_are_as_similar_and_not_identical(tmp_path: Path) -> None:
    texts = {3: "red apple", 1: "apple red", 2: "red apple", 4: "blue sky"}
    (group,) = find_duplicates(build(tmp_path / "i", texts))
    assert group == [(1, 1.0, True), (2, 1.0, False), (3, 1.0, False)]


def test_documents_without_words_are_alike_if_their_content_is(tmp_path: Path) -> None:
    texts = {1: "", 2: "...", 3: "", 4: "!", 5: "red"}
    (group,) = find_duplicates(build(tmp_path / "i", texts), threshold=0.1)
    assert group == [(1, 1.0, True), (3, 1.0, True)]


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(tmp_path: Path, threshold: float) -> None:
    index = build(tmp_path / "i", {1: "red"})
    with pytest.raises(InvalidParameters, match="above 0 and at most 1"):
        find_duplicates(index, threshold=threshold)
    with pytest.raises(InvalidParameters, match="above 0 and at most 1"):
        near_duplicates_of(index, [1], [1], threshold=threshold)


def test_the_command_lists_groups_for_people_and_for_programs(tmp_path: Path) -> None:
    build(tmp_path / "i", {7: "red apple", 9: "red apple", 11: "blue sky"})
    found = CliRunner().invoke(app, ["duplicates", str(tmp_path / "i"), "--json"])
    assert json.loads(found.stdout) == {
        "threshold": 0.9,
        "num_groups": 1,
        "num_documents": 2,
        "groups": [
            [
                {"id": 7, "similarity": 1.0, "is_identical": True},
                {"id": 9, "similarity": 1.0, "is_identical": True},
            ]
        ],
    }
    table = CliRunner().invoke(app, ["duplicates", str(tmp_path / "i"), "--threshold", "0.5"])
    assert "same content" in table.stdout
    assert "11" not in table.stdout
