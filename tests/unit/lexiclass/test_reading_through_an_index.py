"""An index changes how fast documents are read, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import DocumentIndex, Pipeline, PipelineSpec
from lexiclass.index import build_index, read_tokens
from tests.support.stamped_documents import Files, Write

WORDS = "red green blue apple pear plum sky sea".split()
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join) | st.just("unreadable")
WRITES = st.lists(st.tuples(st.integers(0, 9), st.none() | TEXTS, st.booleans()), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(corpora=st.lists(WRITES, min_size=1, max_size=3), after=WRITES, extractor=st.booleans())
def test_predictions_through_an_index_equal_those_from_texts(
    tmp_path_factory: pytest.TempPathFactory,
    trained: list[Pipeline],
    corpora: list[list[Write]],
    after: list[Write],
    extractor: bool,
) -> None:
    directory = tmp_path_factory.mktemp("index")
    files = Files()
    files.write(100, "red apple")
    for writes in corpora:
        files.apply(writes)
        build_index(directory, files)
    files.apply(after)
    pipeline = trained[extractor]
    positions = np.arange(len(files.ids))

    through = read_tokens(pipeline, files, positions, DocumentIndex.open(directory))
    without = read_tokens(pipeline, files, positions, None)

    assert through.failed == without.failed
    assert through.digests == without.digests
    assert through.tokens.to_lists() == without.tokens.to_lists()
    np.testing.assert_array_equal(through.positions, without.positions)
    np.testing.assert_array_equal(
        pipeline.predict_tokens(through.tokens).probabilities,
        pipeline.predict_tokens(without.tokens).probabilities,
    )
    found = through.num_indexed + through.num_changed + through.num_missing
    assert found == len(through.positions)


@pytest.fixture(scope="module")
def trained() -> list[Pipeline]:
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    labels = ["fruit" if text.split()[0] in WORDS[3:6] else "colour" for text in texts]
    pipelines = [Pipeline(PipelineSpec(feature_extractor=name)) for name in ("bow", "tfidf")]
    for pipeline in pipelines:
        pipeline.fit(texts, labels)
    return pipelines


def test_what_has_its_stamp_is_not_opened(tmp_path: Path, trained: list[Pipeline]) -> None:
    files = Files()
    for number in range(5):
        files.write(number, f"red {number}")
    build_index(tmp_path, files)
    files.write(2, "changed")
    files.write(3, "red 3")  # the same content, written again
    files.write(9, "new")
    files.read_ids.clear()

    found = read_tokens(trained[0], files, np.arange(6), DocumentIndex.open(tmp_path))

    assert files.read_ids == [2, 3, 9]
    assert (found.num_indexed, found.num_changed, found.num_missing) == (4, 1, 1)
    files.read_ids.clear()
    build_index(tmp_path, files)
    assert files.read_ids == [2, 3, 9]
    files.read_ids.clear()
    report = build_index(tmp_path, files)
    assert (files.read_ids, report.unchanged) == ([], 6)


def test_documents_come_in_the_order_they_are_asked_for(
    tmp_path: Path, trained: list[Pipeline]
) -> None:
    files = Files()
    for number in (7, 3, 5):
        files.write(number, f"word{number}")
    build_index(tmp_path, files)
    files.write(3, "other")

    found = read_tokens(trained[0], files, np.array([2, 1, 0]), DocumentIndex.open(tmp_path))

    assert found.tokens.to_lists() == [["word5"], ["other"], ["word7"]]
    assert found.positions.tolist() == [2, 1, 0]


def test_an_index_fits_those_who_tokenize_as_it_was_made(
    tmp_path: Path, trained: list[Pipeline]
) -> None:
    files = Files()
    files.write(1, "red")
    build_index(tmp_path, files)
    index = DocumentIndex.open(tmp_path)
    assert index.fits(trained[0])
    assert not index.fits(Pipeline(PipelineSpec(locale="de")))
    assert not index.fits(Pipeline(PipelineSpec(tokenizer_params={"lowercase": False})))


@pytest.mark.parametrize("indexed", ["pt_BR", "pt-BR"])
@pytest.mark.parametrize("asked", ["pt_BR", "pt-BR"])
def test_both_spellings_of_a_locale_are_one(tmp_path: Path, indexed: str, asked: str) -> None:
    files = Files()
    files.write(1, "red")
    build_index(tmp_path, files, locale=indexed)
    pipeline = Pipeline(PipelineSpec(locale=asked))
    assert pipeline.spec.locale == "pt-BR"
    assert DocumentIndex.open(tmp_path).fits(pipeline)
