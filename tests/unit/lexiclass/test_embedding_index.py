"""An index of embeddings changes what is computed, and nothing that comes out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import (
    Document,
    InvalidParameters,
    ModelCorrupt,
    NoDocuments,
    Pipeline,
    PipelineSpec,
    UnreadableDocument,
)
from lexiclass.index import DocumentSource
from lexiclass.index.embeddings import (
    EmbeddingConfiguration,
    EmbeddingIndex,
    build_embeddings,
    building,
    read_embeddings,
)
from lexiclass.index.embeddings import compaction as embedding_compaction
from lexiclass.index.embeddings.building import EmbeddingReport
from lexiclass.index.store import compaction
from lexiclass.manifest import text_digest
from tests.support.embedder import DIMENSION, HashedWords, hashed_words, registry_with_it
from tests.support.stamped_documents import Files, Write

TEXTS = {3: "red apple", 1: "green apple apple", 2: "red apple", 7: ""}
WORDS = "red green blue apple pear plum sky sea".split()
CONTENT = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join) | st.just("unreadable")
WRITES = st.lists(st.tuples(st.integers(0, 9), st.none() | CONTENT, st.booleans()), max_size=12)


def build(
    directory: Path,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    embedder: HashedWords | None = None,
    **arguments: Any,
) -> EmbeddingReport:
    return build_embeddings(
        directory,
        documents,
        feature_extractor="hashed",
        embedder=hashed_words() if embedder is None else embedder,
        **arguments,
    )


def documents(texts: dict[int, str]) -> list[Document]:
    return [Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()]


def content(directory: Path) -> dict[int, list[float]]:
    index = EmbeddingIndex.open(directory)
    return dict(zip(index.ids.tolist(), index.embeddings().tolist(), strict=True))


def direct(texts: dict[int, str]) -> dict[int, list[float]]:
    rows = hashed_words().transform(texts.values())
    return dict(sorted(zip(texts, rows.tolist(), strict=True)))


def files_of(directory: Path) -> list[Path]:
    return sorted(directory.glob("embeddings-*"))


def test_an_index_holds_what_the_embedder_makes_of_each_document(tmp_path: Path) -> None:
    embedder = hashed_words()
    report = build(tmp_path / "i", iter(documents(TEXTS)), embedder)
    assert (report.num_documents, report.embedded, report.dimension) == (4, 3, DIMENSION)
    assert embedder.seen == ["red apple", "green apple apple", ""]  # one of two that are equal
    assert content(tmp_path / "i") == direct(TEXTS)
    assert EmbeddingIndex.open(tmp_path / "i").fits("hashed", embedder)
    assert list(report.stage_seconds) == ["open", "embed", "write"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=WRITES,
    second=WRITES,
    third=WRITES,
    per_shard=st.sampled_from([1, 3, 100]),
    many=st.sampled_from([2, 12]),
    is_incremental=st.booleans(),
)
def test_after_any_edits_it_gives_what_the_texts_give(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    first: list[Write],
    second: list[Write],
    third: list[Write],
    per_shard: int,
    many: int,
    is_incremental: bool,
) -> None:
    directory = tmp_path_factory.mktemp("i")
    monkeypatch.setattr(building, "_SHARD_DOCUMENTS", per_shard)
    monkeypatch.setattr(compaction, "_MANY_SMALL", many)
    files = Files()
    files.apply(first)
    if files.texts:
        build(directory, files)
    files.apply(second)
    if files.texts:
        report = build(directory, files, is_incremental=is_incremental)
        readable = {n: text for n, text in files.texts.items() if text != "unreadable"}
        assert content(directory) == direct(readable)
        assert report.failed.keys() == files.texts.keys() - readable.keys()
        named = EmbeddingIndex.open(directory).manifest.files
        assert {path.name for path in directory.iterdir()} == {"index.json", *named}
    files.apply(third)
    index = EmbeddingIndex.open(directory) if (directory / "index.json").exists() else None
    embedder = hashed_words()

    found = read_embeddings(embedder, files, np.arange(len(files.texts)), index)

    readable = {n: text for n, text in files.texts.items() if text != "unreadable"}
    ids = files.ids[found.positions].tolist()
    assert dict(zip(ids, found.embeddings.tolist(), strict=True)) == {
        number: direct(readable)[number] for number in readable
    }
    assert found.digests == [text_digest(readable[number]) for number in ids]
    assert found.failed.keys() == files.texts.keys() - readable.keys()
    assert found.num_changed + found.num_missing == len(embedder.seen)
    assert found.num_indexed == len(ids) - len(embedder.seen)


def test_only_what_is_new_is_embedded_and_only_what_was_touched_is_read(tmp_path: Path) -> None:
    files = Files()
    for number in range(5):
        files.write(number, f"word{number}")
    build(tmp_path, files)
    files.write(2, "changed")
    files.write(3, "word3")  # the same content, written again
    files.write(9, "word4")  # the content of another
    files.remove(0)
    files.read_ids.clear()
    embedder = hashed_words()

    found = read_embeddings(embedder, files, np.arange(5), EmbeddingIndex.open(tmp_path))
    assert (found.num_indexed, found.num_changed, found.num_missing) == (4, 1, 0)
    assert embedder.seen == ["changed"]
    assert files.read_ids == [2, 3, 9]
    report = build(tmp_path, files, embedder)
    assert embedder.seen == ["changed"] * 2
    assert (report.num_documents, report.embedded, report.removed) == (5, 1, 1)
    files.read_ids.clear()
    again = build(tmp_path, files)
    assert (files.read_ids, again.embedded, again.generation) == ([], 0, report.generation)


def test_a_full_build_embeds_everything_anew(tmp_path: Path) -> None:
    build(tmp_path, documents(TEXTS))
    report = build(tmp_path, documents(TEXTS), is_incremental=False)
    assert (report.embedded, report.num_documents) == (3, 4)
    assert content(tmp_path) == direct(TEXTS)
    assert len(files_of(tmp_path)) == 1


def test_small_and_sparse_shards_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_SHARD_DOCUMENTS", 2)
    texts = {number: f"word{number}" for number in range(20)}
    build(tmp_path, documents(texts))
    assert len(files_of(tmp_path)) == 10
    texts[20] = "one more"
    texts[21] = "and another"
    build(tmp_path, documents(texts))
    assert len(files_of(tmp_path)) == 11
    texts[22] = "the twelfth"
    report = build(tmp_path, documents(texts))
    assert (report.num_shards, len(files_of(tmp_path))) == (1, 1)
    few = {number: texts[number] for number in range(5)}
    before = files_of(tmp_path)
    build(tmp_path, documents(few))
    assert content(tmp_path) == direct(few)
    assert files_of(tmp_path) != before
    monkeypatch.setattr(embedding_compaction, "_JOINED_BYTES", 3 * DIMENSION * 4)
    build(tmp_path, documents(dict(list(few.items())[:2])))
    assert content(tmp_path) == direct(dict(list(few.items())[:2]))


@pytest.mark.parametrize("place", [-1, -40, 9])
def test_a_flipped_bit_is_noticed_and_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(building, "_SHARD_DOCUMENTS", 2)
    texts = {number: f"word{number}" for number in range(6)}
    files = Files()
    for number, text in texts.items():
        files.write(number, text)
    build(tmp_path, files)
    damaged = files_of(tmp_path)[0]
    data = bytearray(damaged.read_bytes())
    data[place] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(ModelCorrupt):
        EmbeddingIndex.open(tmp_path).verify()
    with pytest.raises(ModelCorrupt):
        read_embeddings(hashed_words(), files, np.arange(6), EmbeddingIndex.open(tmp_path))

    report = build(tmp_path, files)

    assert report.embedded == 2
    assert content(tmp_path) == direct(texts)
    assert damaged not in files_of(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["index.json", "documents-*", "embeddings-*"]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_no_damage_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: float, bit: int
) -> None:
    directory = tmp_path_factory.mktemp("i")
    build(directory, documents(TEXTS))
    (path,) = directory.glob(name)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ModelCorrupt):
        EmbeddingIndex.open(directory).embeddings()
    build(directory, documents(TEXTS))
    assert content(directory) == direct(TEXTS)


@pytest.mark.parametrize("name", ["index.json", "documents-*"])
def test_an_index_without_its_lists_is_made_anew(tmp_path: Path, name: str) -> None:
    build(tmp_path, documents(TEXTS))
    (path,) = tmp_path.glob(name)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelCorrupt):
        EmbeddingIndex.open(tmp_path)
    report = build(tmp_path, documents(TEXTS))
    assert report.embedded == 3
    assert report.rebuilt_because is not None
    assert content(tmp_path) == direct(TEXTS)


def test_every_configuration_has_an_index_of_its_own(tmp_path: Path) -> None:
    keys = {EmbeddingConfiguration.of("hashed", hashed_words(salt)).key for salt in ("", "x")}
    assert len(keys) == 2
    assert all(key.startswith("hashed-") for key in keys)
    build(tmp_path, documents(TEXTS))
    other = hashed_words("x")
    index = EmbeddingIndex.open(tmp_path)
    assert not index.fits("hashed", other)
    assert not index.fits("other", hashed_words())
    report = build(tmp_path, documents(TEXTS), other)
    assert "was made by hashed-" in str(report.rebuilt_because)
    assert report.embedded == 3


def test_another_major_version_of_a_library_embeds_anew(tmp_path: Path) -> None:
    build(tmp_path, documents(TEXTS))
    newer = hashed_words()
    newer.library = "2.0"
    assert not EmbeddingIndex.open(tmp_path).fits("hashed", newer)
    assert build(tmp_path, documents(TEXTS), newer).embedded == 3


def test_what_can_not_be_indexed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoDocuments, match="add documents"):
        build(tmp_path, [])
    with pytest.raises(InvalidParameters, match="given twice"):
        build(tmp_path, documents({1: "a"}) * 2)
    with pytest.raises(InvalidParameters, match="not an integer"):
        build(tmp_path, [Document("one", "a", text_digest("a"), "utf-8")])
    with pytest.raises(InvalidParameters, match="digest"):
        build(tmp_path, [Document(1, "a", "00", "utf-8")])
    report = build(tmp_path, [UnreadableDocument(1, "binary")])
    assert (report.num_documents, report.failed, report.dimension) == (0, {1: "binary"}, 0)
    report = build(tmp_path, documents(TEXTS))
    assert content(tmp_path) == direct(TEXTS)


def test_a_build_that_is_killed_changes_no_document_and_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_SHARD_DOCUMENTS", 2)
    build(tmp_path, documents({1: "word1", 50: "old"}))
    texts = {number: f"word{number}" for number in range(1, 9)}
    script = """
import os, signal, sys
from pathlib import Path
from lexiclass import Document
from lexiclass.index.embeddings import build_embeddings, building
from lexiclass.index.store.source import TextSource
from lexiclass.index.embeddings import compaction as embedding_compaction
from lexiclass.index.store import compaction
from lexiclass.manifest import text_digest
from tests.support.embedder import hashed_words

building._SHARD_DOCUMENTS = 2

def documents():
    for number in range(1, 9):
        if number == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        text = f"word{number}"
        yield Document(number, text, text_digest(text), "utf-8")

from lexiclass.index.store import building as reading
reading.text_sources = lambda stream: (TextSource([document]) for document in stream)
build_embeddings(
    Path(sys.argv[1]), documents(), feature_extractor="hashed", embedder=hashed_words()
)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert ended.returncode == -signal.SIGKILL
    assert content(tmp_path) == direct({1: "word1", 50: "old"})
    embedder = hashed_words()
    report = build(tmp_path, documents(texts), embedder)
    assert embedder.seen == ["word7", "word8"]
    assert report.removed == 1
    assert content(tmp_path) == direct(texts)


def test_a_pipeline_works_on_embeddings_as_on_texts(tmp_path: Path) -> None:
    spec = PipelineSpec(feature_extractor="hashed")
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    labels = ["fruit" if text.split()[0] in WORDS[3:6] else "colour" for text in texts]
    digests = [text_digest(text) for text in texts]
    by_texts, by_rows = (Pipeline(spec, registry_with_it()) for _ in range(2))
    by_texts.fit(texts, labels)
    embedder = by_rows.require_embedder()
    embedder.prepare()
    rows = hashed_words().transform(texts)
    report = by_rows.fit_embeddings(rows, labels, digests=digests)
    assert (report.num_documents, report.num_features) == (64, DIMENSION)
    assert isinstance(embedder, HashedWords)
    assert embedder.seen == []
    first = by_texts.save(tmp_path / "texts")
    second = by_rows.save(tmp_path / "rows")
    assert first.model_digest == second.model_digest
    loaded = Pipeline.load(tmp_path / "rows", registry=registry_with_it())
    np.testing.assert_array_equal(
        loaded.predict_embeddings(rows).probabilities, by_texts.predict(texts).probabilities
    )
    with pytest.raises(InvalidParameters, match="learns from the training"):
        Pipeline(PipelineSpec()).fit_embeddings(rows, labels, digests=digests)
    with pytest.raises(InvalidParameters, match="one label and one digest"):
        Pipeline(spec, registry_with_it()).fit_embeddings(rows[1:], labels, digests=digests)


def test_texts_that_are_equal_are_embedded_once() -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor="hashed"), registry_with_it())
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    labels = ["fruit" if text.split()[0] in WORDS[3:6] else "colour" for text in texts]
    pipeline.fit(texts * 2, labels * 2)
    embedder = pipeline.require_embedder()
    assert isinstance(embedder, HashedWords)
    assert embedder.seen == texts


def test_the_most_similar_documents_are_those_with_the_highest_cosine(tmp_path: Path) -> None:
    texts = dict(enumerate([*WORDS, "red green", "red", "red red"]))
    build(tmp_path, documents(texts))
    index = EmbeddingIndex.open(tmp_path)
    rows = hashed_words().transform(texts.values()).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.minimum((rows @ rows.T).round(6), 1)
    for number, neighbours in enumerate(index.search.by_ids(list(texts), limit=3)):
        nearest = sorted((-cosines[number, other], other) for other in texts if other != number)
        expected = [other for _, other in nearest if cosines[number, other] > 0][:3]
        assert [near.id for near in neighbours] == expected
        similarities = [cosines[number, other] for other in expected]
        assert [near.similarity for near in neighbours] == pytest.approx(similarities, abs=2e-6)
    (found,) = index.search.by_embeddings(hashed_words().transform(["red"]), limit=2)
    assert found == [(0, 1.0), (9, 1.0)]
    with pytest.raises(InvalidParameters, match="no document 99"):
        index.search.by_ids([99])


def test_what_is_like_a_document_or_a_text_is_asked_of_the_index_itself(tmp_path: Path) -> None:
    build(tmp_path, documents({3: "red apple", 1: "green apple", 2: "apple red", 7: "sky"}))
    index = EmbeddingIndex.open(tmp_path)
    assert index.similar(3, 1) == [(2, 1.0)]
    assert index.similar("red apple", 2, embedder=hashed_words()) == [(2, 1.0), (3, 1.0)]


def test_a_text_needs_the_feature_extractor_of_the_index(tmp_path: Path) -> None:
    build(tmp_path, documents(TEXTS))
    index = EmbeddingIndex.open(tmp_path)
    newer = hashed_words()
    newer.library = "2.0"
    for embedder in (None, hashed_words(salt="other"), newer):
        with pytest.raises(InvalidParameters, match="give the feature extractor that made it"):
            index.similar("red", embedder=embedder)


def test_embeddings_that_are_nearly_the_same_calibrate_as_one_document() -> None:
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    labels = ["fruit" if text.split()[0] in WORDS[3:6] else "colour" for text in texts]
    rows = hashed_words().transform(texts)
    noise = np.random.default_rng(0).normal(size=rows.shape) * 0.01 * np.abs(rows).max()
    found = []
    for taught in (rows, np.concatenate([rows, rows + noise, rows]).astype(np.float32)):
        pipeline = Pipeline(PipelineSpec(feature_extractor="hashed"), registry_with_it())
        pipeline.require_embedder().prepare()
        copies = len(taught) // len(rows)
        report = pipeline.fit_embeddings(taught, labels * copies, digests=["x"] * len(taught))
        found.append(report.num_calibration_documents)
    assert found[0] == found[1]
    assert found[0] is not None
    assert found[0] > 20
