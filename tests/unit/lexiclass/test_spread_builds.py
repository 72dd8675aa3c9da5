"""Builds of an index whose shards are made elsewhere, by those who know nothing of each other."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import DocumentIndex, build_index
from lexiclass.index import ManyNewDocuments, NewShard, write_shards
from tests.support.index_content import index_content
from tests.support.stamped_documents import Files
from tests.support.variants import examples

WORDS = ("cat", "dog", "truck", "oven", "Straße", "naïve")


class Signer:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, content: bytes) -> str:
        return hmac.digest(self._key, content, hashlib.sha256).hex()

    def verify(self, content: bytes, claimed: object) -> bool:
        return claimed == self.sign(content)


SIGNER = Signer(b"ours")


def files_of(texts: Sequence[str]) -> Files:
    files = Files()
    for number, text in enumerate(texts):
        files.write(number, text)
    return files


def plan(
    directory: Path, files: Files, most_new: int, *, is_incremental: bool = True
) -> list[list[int]]:
    """The ids of each shard that a build is to have made elsewhere."""
    with pytest.raises(ManyNewDocuments) as many:
        build_index(
            directory,
            files,
            most_new=most_new,
            build="one",
            signer=SIGNER,
            is_incremental=is_incremental,
        )
    return [ids.tolist() for ids in many.value.shards]


def name_of(number: int) -> str:
    return f"shard-{number:032x}"


def make(
    folder: Path,
    files: Files,
    shards: dict[int, list[int]],
    build: str = "one",
    key: bytes = b"ours",
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_shards(
        folder,
        files,
        [
            NewShard(name_of(number), np.searchsorted(files.ids, ids))
            for number, ids in shards.items()
        ],
        build=build,
        signer=Signer(key),
    )


def finish(directory: Path, files: Files, *, is_incremental: bool = True) -> DocumentIndex:
    build_index(directory, files, build="one", signer=SIGNER, is_incremental=is_incremental)
    return DocumentIndex.open(directory)


texts = st.lists(
    st.one_of(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), st.just("unreadable")),
    min_size=3,
    max_size=20,
)


@settings(deadline=None, max_examples=examples(10), suppress_health_check=[HealthCheck.too_slow])
@given(texts=texts, most_new=st.integers(1, 2), rest=st.randoms(use_true_random=False))
def test_an_index_is_the_same_whoever_makes_its_shards_in_whichever_order(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], most_new: int, rest: object
) -> None:
    path = tmp_path_factory.mktemp("builds")
    files = files_of(texts)
    index = path / "index"
    shards = plan(index, files, most_new)
    assert [each for shard in shards for each in shard] == list(range(len(texts)))
    assert max(map(len, shards)) <= most_new

    make(path / "alone", files, dict(enumerate(shards)))
    files.read_ids.clear()
    if set(texts) == {"unreadable"}:
        return
    alone = finish(path / "alone", files)
    assert set(files.read_ids) == {n for n, text in enumerate(texts) if text == "unreadable"}

    numbers = list(range(len(shards)))
    rest.shuffle(numbers)  # type: ignore[attr-defined]
    for number in numbers:
        # Under other names, which say nothing of their order.
        folder = path / f"machine {number}"
        make(folder, files, {10**6 - number: shards[number]})
        index.mkdir(exist_ok=True)
        for made in folder.iterdir():
            shutil.move(made, index)
    finish(index, files)

    assert index_content(index, with_stamps=True) == index_content(path / "alone", with_stamps=True)
    assert len(alone.ids) == sum(text != "unreadable" for text in texts)


def test_what_is_one_shard_is_the_same_as_one_process_makes_by_itself(tmp_path: Path) -> None:
    files = files_of(["cat dog", "dog", "truck cat"])
    (shard,) = [[0, 1, 2]]
    make(tmp_path / "spread", files, {0: shard})
    finish(tmp_path / "spread", files)
    build_index(tmp_path / "whole", files)
    assert index_content(tmp_path / "spread", with_stamps=True) == index_content(
        tmp_path / "whole", with_stamps=True
    )


def test_what_nobody_has_made_is_made_by_the_build(tmp_path: Path) -> None:
    files = files_of(["cat", "dog", "truck", "oven"])
    make(tmp_path, files, {0: [0, 1]})
    files.write(1, "another")
    files.read_ids.clear()
    index = finish(tmp_path, files)
    assert files.read_ids == [1, 2, 3]
    assert len(index.ids) == 4
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}
    assert [path.name for path in tmp_path.glob("*.json")] == ["index.json"]


def test_a_build_that_takes_nothing_over_goes_on_from_its_own_shards_alone(tmp_path: Path) -> None:
    files = files_of(["cat", "dog", "truck", "oven"])
    make(tmp_path, files, {0: [0, 1]})
    make(tmp_path, files, {1: [2, 3]}, build="another")
    assert plan(tmp_path, files, 1, is_incremental=False) == [[2], [3]]
    files.read_ids.clear()
    assert len(finish(tmp_path, files, is_incremental=False).ids) == 4
    assert files.read_ids == [2, 3]


def test_shards_that_another_has_signed_are_made_again(tmp_path: Path) -> None:
    files = files_of(["cat", "dog", "truck", "oven"])
    make(tmp_path, files, {0: [0, 1]}, key=b"theirs")
    files.read_ids.clear()
    finish(tmp_path, files)
    assert files.read_ids == [0, 1, 2, 3]


def test_only_new_documents_count_and_nothing_is_changed_by_a_plan(tmp_path: Path) -> None:
    files = files_of(["cat", "dog", "truck"])
    finish(tmp_path, files)
    before = sorted(tmp_path.iterdir())
    for number in range(3):
        files.write(number, "touched")
    for number in (3, 4, 5):
        files.write(number, "new")
    assert plan(tmp_path, files, 2) == [[3, 4], [5]]
    assert sorted(tmp_path.iterdir()) == before
    files.remove(5)
    build_index(tmp_path, files, most_new=2)
    assert len(DocumentIndex.open(tmp_path).ids) == 5
