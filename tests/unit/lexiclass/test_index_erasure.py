"""What an erasure leaves of documents in an index: nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import Document, DocumentIndex, ModelCorrupt, build_index
from lexiclass.index.embeddings import EmbeddingIndex, build_embeddings
from lexiclass.index.erasure import keep_documents
from lexiclass.index.store import compaction
from lexiclass.manifest import text_digest
from tests.support.embedder import hashed_words

WORDS = "quuxzanzib apple pear plum sky sea heron otter".split()


def documents(texts: dict[int, str]) -> list[Document]:
    return [Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()]


def content(directory: Path) -> dict[int, list[str]]:
    index = DocumentIndex.open(directory)
    index.verify()
    return dict(zip(index.ids.tolist(), index.tokens().to_lists(), strict=True))


def files_with(directory: Path, word: str) -> list[str]:
    return [path.name for path in directory.iterdir() if word.encode() in path.read_bytes()]


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_a_word_that_only_erased_documents_had_is_in_no_file(tmp_path: Path) -> None:
    directory = tmp_path / "i"
    first = {1: "apple quuxzanzib", 2: "apple pear", 3: "plum"}
    build_index(directory, iter(documents(first)))
    build_index(directory, iter(documents({**first, 4: "sea apple"})))
    assert len(files_with(directory, "quuxzanzib")) >= 2

    assert keep_documents(directory, ids(2, 3, 4, 99)) == 3

    assert files_with(directory, "quuxzanzib") == []
    assert content(directory) == {2: ["apple", "pear"], 3: ["plum"], 4: ["sea", "apple"]}


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV])
def test_a_file_system_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(self))

    directory = tmp_path / "i"
    first = {1: "apple quuxzanzib"}
    build_index(directory, iter(documents(first)))
    build_index(directory, iter(documents({**first, 2: "sea apple"})))
    monkeypatch.setattr(Path, "hardlink_to", refuse)

    assert keep_documents(directory, ids(2)) == 1

    assert files_with(directory, "quuxzanzib") == []
    assert content(directory) == {2: ["sea", "apple"]}


def test_what_earlier_builds_left_goes_as_well(tmp_path: Path) -> None:
    directory = tmp_path / "i"
    build_index(directory, iter(documents({1: "apple quuxzanzib", 2: "pear", 3: "plum"})))
    # The row of a document that is gone, or has another text, stays in its shard.
    build_index(directory, iter(documents({1: "apple", 2: "pear", 3: "plum"})))
    (directory / "shard-left.partial").write_bytes(b"quuxzanzib")
    assert files_with(directory, "quuxzanzib")

    assert keep_documents(directory, ids(1, 2, 3)) == 3

    assert files_with(directory, "quuxzanzib") == []
    assert content(directory) == {1: ["apple"], 2: ["pear"], 3: ["plum"]}


def test_an_index_without_traces_stays_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "i"
    build_index(directory, iter(documents({1: "apple", 2: "pear"})))
    before = {path.name: path.read_bytes() for path in directory.iterdir()}

    assert keep_documents(directory, ids(1, 2)) == 2

    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_a_reader_of_before_still_reads_what_it_had_opened(tmp_path: Path) -> None:
    directory = tmp_path / "i"
    build_index(directory, iter(documents({1: "apple", 2: "pear"})))
    reader = DocumentIndex.open(directory)

    keep_documents(directory, ids(2))

    assert reader.tokens().to_lists() == [["apple"], ["pear"]]


def test_where_nothing_would_be_left_or_the_index_is_damaged_the_caller_is_told(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "i"
    build_index(directory, iter(documents({1: "apple"})))
    assert keep_documents(directory, ids()) == 0
    next(directory.glob("terms-*")).write_bytes(b"damaged")
    with pytest.raises(ModelCorrupt):
        keep_documents(directory, ids(1))


@given(
    builds=st.lists(
        st.dictionaries(
            st.integers(1, 9),
            st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join),
            min_size=1,
        ),
        min_size=1,
        max_size=4,
    ),
    kept=st.sets(st.integers(1, 9)),
    stops_at=st.none() | st.integers(0, 1),
)
def test_whatever_was_built_before_and_wherever_it_stops(
    tmp_path_factory: pytest.TempPathFactory,
    builds: list[dict[int, str]],
    kept: set[int],
    stops_at: int | None,
) -> None:
    directory = tmp_path_factory.mktemp("index") / "i"
    for texts in builds:
        build_index(directory, iter(documents(texts)))
    left = {number: text.split() for number, text in builds[-1].items() if number in kept}
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls - 1 == stops_at:
            raise InterruptedError

    if stops_at is not None:
        try:
            keep_documents(directory, ids(*kept), before_publication=stop)
        except InterruptedError:
            assert content(directory).keys() >= left.keys()

    assert keep_documents(directory, ids(*kept)) == len(left)

    if left:
        assert content(directory) == left
        gone = set(WORDS) - {word for words in left.values() for word in words}
        assert not any(files_with(directory, word) for word in gone)
        # The next build goes on from here.
        report = build_index(directory, iter(documents({k: " ".join(v) for k, v in left.items()})))
        assert (report.unchanged, report.rebuilt_because) == (len(left), None)


def test_shards_that_were_joined_lose_what_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_MANY_SMALL", 2)
    directory = tmp_path / "i"
    texts = {1: "apple quuxzanzib"}
    for number in range(2, 6):
        texts[number] = f"pear w{number}"
        build_index(directory, iter(documents(texts)))

    assert keep_documents(directory, ids(*range(2, 6))) == 4

    assert files_with(directory, "quuxzanzib") == []
    assert content(directory) == {number: ["pear", f"w{number}"] for number in range(2, 6)}


def test_embeddings_of_erased_contents_are_in_no_file(tmp_path: Path) -> None:
    directory = tmp_path / "e"

    def build(texts: dict[int, str]) -> None:
        build_embeddings(
            directory,
            documents(texts),
            feature_extractor="hashed",
            embedder=hashed_words(),
        )

    build({1: "apple", 2: "pear", 3: "pear", 4: "plum"})
    build({1: "apple", 2: "pear", 3: "pear", 4: "sky"})
    before = dict(
        zip(
            EmbeddingIndex.open(directory).ids.tolist(),
            EmbeddingIndex.open(directory).embeddings().tolist(),
            strict=True,
        )
    )
    erased = [bytes.fromhex(text_digest(text))[:16] for text in ("apple", "plum")]
    assert all(any(d in p.read_bytes() for p in directory.iterdir()) for d in erased)

    assert keep_documents(directory, ids(2, 3, 4)) == 3

    assert not any(d in p.read_bytes() for p in directory.iterdir() for d in erased)
    index = EmbeddingIndex.open(directory)
    after = dict(zip(index.ids.tolist(), index.embeddings().tolist(), strict=True))
    assert after == {number: before[number] for number in (2, 3, 4)}
    assert keep_documents(directory, ids()) == 0
