"""Stored documents are predicted alike from their texts and through an index of real files."""

import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiclass import DocumentIndex, Pipeline, PipelineSpec
from lexiclass.index import build_index
from lexiclass.index.tokens import index as tokens_index
from lexiclass_worker.jobs.inputs import ProjectDocuments
from lexiclass_worker.ml import local_files
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.scoring import Scored, score
from tests.support.variants import examples

KNOWN = "red green blue apple pear plum sky sea".split()
UNKNOWN = ["zebra", "quagga", "Größe", "ภาษา"]
IDS = range(1, 9)
SPECS = [
    PipelineSpec(feature_extractor="bow"),
    PipelineSpec(feature_extractor="tfidf", feature_extractor_params={"min_df": 1}),
    PipelineSpec(
        feature_extractor="tfidf", feature_extractor_params={"min_df": 1, "ngram_range": [1, 2]}
    ),
]

TEXTS = st.lists(st.sampled_from(KNOWN + UNKNOWN), max_size=8).map(" ".join)
CONTENT = TEXTS.map(str.encode) | st.just(b"\0binary") | st.none()
WRITES = st.dictionaries(st.sampled_from(IDS), CONTENT, max_size=8)
GENERATION = st.dictionaries(st.sampled_from(IDS), CONTENT, min_size=3)

_ticks = count(1)


def write(root: Path, contents: dict[int, bytes | None]) -> None:
    for number, content in contents.items():
        path = root / "7" / "documents" / f"{number}.txt"
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
            os.utime(path, (0, next(_ticks)))  # the kernel's own clock is coarser than this test


def stored(root: Path, ids: Sequence[int] = IDS) -> StoredDocuments:
    source = ProjectDocuments(root=str(root), project_id=7, folder=None, max_bytes=1000)
    return StoredDocuments(source, [(number, None) for number in ids])


def new_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("storage")
    (root / "7" / "documents").mkdir(parents=True)
    return root


def require_equal(through: list[Scored], without: list[Scored]) -> None:
    for ours, theirs in zip(through, without, strict=True):
        assert ours.failed == theirs.failed
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        np.testing.assert_array_equal(
            ours.predictions.probabilities, theirs.predictions.probabilities
        )


@pytest.fixture(scope="module")
def pipelines() -> list[Pipeline]:
    texts = [f"{first} {second}" for first in KNOWN for second in KNOWN]
    labels = ["fruit" if text.split()[0] in KNOWN[3:6] else "colour" for text in texts]
    made = [Pipeline(spec) for spec in SPECS]
    for pipeline in made:
        pipeline.fit(texts, labels)
    return made


@pytest.fixture(scope="module", autouse=True)
def settled() -> Iterator[None]:
    """Files are old enough at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_files, "_SETTLED_NS", -(10**12))
        yield


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(40))
@given(
    generations=st.lists(GENERATION, min_size=2, max_size=4),
    after=WRITES,
    number=st.integers(0, len(SPECS) - 1),
    few_tokens=st.sampled_from([0, tokens_index._FEW_TOKENS]),
    batch_size=st.sampled_from([1, 3, 100]),
)
def test_predictions_through_an_index_are_those_of_the_texts(
    tmp_path_factory: pytest.TempPathFactory,
    pipelines: list[Pipeline],
    generations: list[dict[int, bytes | None]],
    after: dict[int, bytes | None],
    number: int,
    few_tokens: int,
    batch_size: int,
) -> None:
    root = new_root(tmp_path_factory)
    for contents in generations:
        write(root, contents)
        build_index(root / "index", stored(root))
    write(root, after)
    index = DocumentIndex.open(root / "index")
    pipeline = pipelines[number]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens_index, "_FEW_TOKENS", few_tokens)
        through = list(score(pipeline, stored(root), index, batch_size=batch_size))
    without = list(score(pipeline, stored(root), None, batch_size=batch_size))

    require_equal(through, without)
    if few_tokens == 0 and index.manifest.num_terms:
        assert "terms" not in vars(index), "only the terms in use are read"


def test_a_few_documents_of_a_large_index_are_read_term_by_term(
    tmp_path_factory: pytest.TempPathFactory, pipelines: list[Pipeline]
) -> None:
    root = new_root(tmp_path_factory)
    ids = range(1, 400)
    for first in (1, 100, 200):
        # Each generation has terms of its own, and brings a list of them.
        for number in ids[first - 1 :]:
            text = f"{KNOWN[number % 8]} word{first}x{number} {UNKNOWN[number % 4]} pear"
            write(root, {number: text.encode()})
        build_index(root / "index", stored(root, ids))
    index = DocumentIndex.open(root / "index")
    assert len(index.term_lists) == 3
    few = [350, 1, 100, 399, 200]

    for pipeline in pipelines:
        (through,) = score(pipeline, stored(root, few), index, batch_size=10)
        require_equal([through], list(score(pipeline, stored(root, few), None, batch_size=10)))
        assert through.origins == {"indexed": 5, "changed": 0, "missing": 0}
    assert "terms" not in vars(index)
