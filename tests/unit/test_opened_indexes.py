"""Indexes that a process keeps open between jobs."""

import os
from pathlib import Path

import pytest

from lexiclass import Document, DocumentIndex, ModelCorrupt, build_index
from lexiclass.manifest import text_digest
from lexiclass_worker.ml.opened_indexes import OpenedIndexes


def build(directory: Path, *texts: str) -> None:
    build_index(
        directory,
        [Document(number, text, text_digest(text), "utf-8") for number, text in enumerate(texts)],
    )


def test_an_index_that_nobody_has_written_to_is_opened_once(tmp_path: Path) -> None:
    build(tmp_path, "one two", "two three")
    keeper = OpenedIndexes(2)
    first = keeper.open(tmp_path, DocumentIndex.open)
    assert keeper.open(tmp_path, DocumentIndex.open) is first


def test_a_new_generation_is_opened(tmp_path: Path) -> None:
    build(tmp_path, "one two", "two three")
    keeper = OpenedIndexes(2)
    assert len(keeper.open(tmp_path, DocumentIndex.open)) == 2
    build(tmp_path, "one two", "two three", "four")
    assert len(keeper.open(tmp_path, DocumentIndex.open)) == 3


def test_a_file_that_was_written_to_is_checked_again(tmp_path: Path) -> None:
    build(tmp_path, "one two", "two three")
    keeper = OpenedIndexes(2)
    keeper.open(tmp_path, DocumentIndex.open).verify()
    shard = next(tmp_path.glob("shard-*[0-9a-f].safetensors"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ModelCorrupt):
        keeper.open(tmp_path, DocumentIndex.open).verify()


def test_a_file_that_was_written_to_with_its_time_set_back_is_checked_again(
    tmp_path: Path,
) -> None:
    build(tmp_path, "one two", "two three")
    keeper = OpenedIndexes(2)
    keeper.open(tmp_path, DocumentIndex.open).verify()
    shard = next(tmp_path.glob("shard-*[0-9a-f].safetensors"))
    before, content = shard.stat(), bytearray(shard.read_bytes())
    content[-1] ^= 1
    with shard.open("r+b") as file:
        file.write(content)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelCorrupt):
        keeper.open(tmp_path, DocumentIndex.open).verify()


def test_no_more_are_kept_than_allowed_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        build(tmp_path / name, "one two", name)
    keeper = OpenedIndexes(2)
    first, second = (keeper.open(tmp_path / name, DocumentIndex.open) for name in ("a", "b"))
    assert keeper.open(tmp_path / "a", DocumentIndex.open) is first
    keeper.open(tmp_path / "c", DocumentIndex.open)
    assert keeper.open(tmp_path / "a", DocumentIndex.open) is first
    assert keeper.open(tmp_path / "b", DocumentIndex.open) is not second


def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    build(tmp_path, "one two", "two three")
    keeper = OpenedIndexes(0)
    first = keeper.open(tmp_path, DocumentIndex.open)
    assert keeper.open(tmp_path, DocumentIndex.open) is not first
