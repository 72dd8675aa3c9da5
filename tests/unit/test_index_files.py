"""Indexes in an object store: what is copied here, what is uploaded, what is kept."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from lexiclass import Document, DocumentIndex, ModelCorrupt, build_index
from lexiclass.index import IndexReport
from lexiclass.index.embeddings import EmbeddingIndex, build_embeddings
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.manifest import text_digest
from lexiclass_worker.artifacts.generations import Checksum
from lexiclass_worker.artifacts.index_copies import IndexCopy
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.index_files import AskToPublish
from tests.support.embedder import hashed_words

TEXTS = ["red apple", "green apple", "blue sky", "red sky"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An object store whose objects are files."""
    return tmp_path / "store" / "7" / "indexes"


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were downloaded."""
    names: list[str] = []
    download = IndexCopy._download

    def noting(self: IndexCopy, name: str, record: Checksum) -> bool:
        names.append(name)
        return download(self, name, record)

    monkeypatch.setattr(IndexCopy, "_download", noting)
    return names


def machine(store: Path, name: str = "a", *, cache_bytes: int = 10**9) -> ProjectIndexes:
    """The indexes as one machine sees them."""
    cache = store.parents[2] / name
    return ProjectIndexes(
        root=f"file://{store.parents[1]}",
        project_id=7,
        cache_directory=cache,
        cache_bytes=cache_bytes,
    )


def build(
    indexes: ProjectIndexes,
    texts: list[str],
    *,
    name: str = "icu-en",
    confirm: AskToPublish = lambda _=None: None,
) -> IndexReport:
    with index_files.building(indexes, name, IndexManifest.read, confirm) as building:
        return build_index(
            building.directory,
            [Document(n, text, text_digest(text), "utf-8") for n, text in enumerate(texts)],
            before_publication=confirm,
            announce=building.announce,
        )


def read(indexes: ProjectIndexes, name: str = "icu-en") -> list[str] | None:
    """The words of every document, from files that are checked; None if there is no index."""
    with index_files.reading(indexes, name, IndexManifest.read) as directory:
        if directory is None:
            return None
        index = DocumentIndex.open(directory)
    index.verify()
    tokens = index.tokens()
    words = [tokens.terms[number] for number in tokens.ids.tolist()]
    ends = tokens.indptr.tolist()
    return [" ".join(words[start:end]) for start, end in pairwise(ends)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def copies(indexes: ProjectIndexes) -> list[Path]:
    (folder,) = map(Path, indexes.copies)
    return sorted(path for path in folder.iterdir() if path.is_dir())


class Killed(BaseException):
    """The process ends here, as far as a test within it can tell."""


class DiesAt:
    """Confirms until it is asked for the nth time."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, publication: Publication | None = None, /) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed


# A build asks before it numbers terms, before it replaces its own manifest and before it removes
# what is old; then what was built is uploaded.
BEFORE_THE_STORED_MANIFEST = 4
BEFORE_REMOVING = 5


def test_a_build_is_read_on_another_machine(store: Path) -> None:
    assert read(machine(store, "b")) is None
    build(machine(store, "a"), TEXTS)
    assert read(machine(store, "b")) == TEXTS


def test_on_a_disk_nothing_is_copied(tmp_path: Path) -> None:
    indexes = ProjectIndexes(root=str(tmp_path), project_id=7)
    assert read(indexes) is None
    build(indexes, TEXTS)
    assert read(indexes) == TEXTS
    assert names(tmp_path) == {"7"}
    assert names(tmp_path / "7" / "indexes") == {"icu-en"}


def test_only_what_is_new_is_downloaded_and_what_is_old_is_dropped(
    store: Path, transfers: list[str]
) -> None:
    reader = machine(store, "b")
    build(machine(store), TEXTS)
    read(reader)
    first = names(store / "icu-en")
    assert sorted([*transfers, "index.json"]) == sorted(first)
    transfers.clear()

    read(reader)
    assert transfers == []

    build(machine(store), [*TEXTS, "yellow sky"])
    assert transfers == []  # where it was built it is at hand
    second = names(store / "icu-en")
    assert read(reader) == [*TEXTS, "yellow sky"]
    assert set(transfers) == second - first
    assert first & second > {"index.json"}
    (copy,) = copies(reader)
    assert names(copy) == second


def test_only_what_is_new_is_uploaded(store: Path) -> None:
    build(machine(store), TEXTS)
    before = written(store / "icu-en")
    build(machine(store), TEXTS)
    assert written(store / "icu-en") == before

    build(machine(store, "b"), [*TEXTS, "yellow sky"])

    after = written(store / "icu-en")
    kept = before.keys() & after.keys() - {"index.json"}
    assert kept
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def written(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_build_on_another_machine_takes_over_what_is_there(store: Path) -> None:
    build(machine(store, "a"), TEXTS)
    report = build(machine(store, "b"), [*TEXTS[1:], "yellow sky"])
    assert (report.generation, report.rebuilt_because) == (2, None)
    assert (report.unchanged, report.added, report.changed) == (0, 0, 4)
    report = build(machine(store, "c"), [*TEXTS[1:], "yellow sky"])
    assert (report.generation, report.unchanged) == (2, 4)


@pytest.mark.parametrize("times", [1, 2, 3, BEFORE_THE_STORED_MANIFEST])
def test_a_build_that_ends_before_its_manifest_is_up_leaves_the_old_generation(
    store: Path, times: int
) -> None:
    build(machine(store), TEXTS)
    before = (store / "icu-en" / "index.json").read_bytes()

    with pytest.raises(Killed):
        build(machine(store), [*TEXTS, "yellow sky"], confirm=DiesAt(times))

    assert (store / "icu-en" / "index.json").read_bytes() == before
    assert read(machine(store)) == TEXTS
    assert read(machine(store, "b")) == TEXTS
    build(machine(store, "c"), [*TEXTS, "yellow sky"])
    assert read(machine(store, "b")) == [*TEXTS, "yellow sky"]
    named = IndexManifest.read(store / "icu-en").files
    assert names(store / "icu-en") == {"index.json", *named}


def test_a_build_that_ends_before_it_tidies_up_has_published(store: Path) -> None:
    build(machine(store), TEXTS)
    with pytest.raises(Killed):
        build(machine(store), TEXTS[1:], confirm=DiesAt(BEFORE_REMOVING))
    assert read(machine(store, "b")) == TEXTS[1:]
    build(machine(store, "b"), TEXTS[1:])
    named = IndexManifest.read(store / "icu-en").files
    assert names(store / "icu-en") == {"index.json", *named}


def test_a_killed_build_is_gone_on_from(store: Path) -> None:
    """By a signal, in the midst of the upload: the next build tokenizes nothing."""
    indexes = machine(store)
    program = f"""
import os, signal
from pathlib import Path
from tests.unit import test_index_files as tests
asked = 0
def die(_=None):
    global asked
    asked += 1
    if asked == tests.BEFORE_THE_STORED_MANIFEST:
        os.kill(os.getpid(), signal.SIGKILL)
tests.build(tests.machine(Path({str(store)!r})), tests.TEXTS, confirm=die)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert read(indexes) is None
    assert (store / "icu-en").is_dir()

    report = build(indexes, TEXTS)

    assert (report.unchanged, report.added) == (4, 0)
    assert read(machine(store, "b")) == TEXTS
    assert len(copies(indexes)) == 1


@pytest.mark.parametrize("changed", [True, False], ids=["another generation", "the same one"])
@pytest.mark.parametrize("is_remote", [True, False], ids=["object store", "disk"])
def test_a_build_that_stalls_once_it_may_publish_replaces_no_later_one(
    store: Path, is_remote: bool, changed: bool
) -> None:
    def indexes(name: str) -> ProjectIndexes:
        root = store.parents[1]
        return machine(store, name) if is_remote else ProjectIndexes(root=str(root), project_id=7)

    later = [*TEXTS, "yellow sky"] if changed else TEXTS
    store.parents[1].mkdir()
    build(indexes("a"), TEXTS)
    manifests: list[bytes] = []

    def stall(publication: Publication | None = None, /) -> None:
        """Meanwhile another worker takes the task over, and is done with it."""
        if publication is not None and not manifests:
            build(indexes("b"), later)
            manifests.append((store / "icu-en" / "index.json").read_bytes())

    with pytest.raises(FileNotFoundError):
        build(indexes("a"), ["stale"], confirm=stall)

    assert [(store / "icu-en" / "index.json").read_bytes()] == manifests
    assert read(indexes("c")) == later
    assert build(indexes("b"), later).unchanged == len(later)
    named = IndexManifest.read(store / "icu-en").files
    assert names(store / "icu-en") == {"index.json", *named}


def test_a_killed_build_does_not_hide_a_newer_generation(store: Path) -> None:
    build(machine(store), TEXTS)
    with pytest.raises(Killed):
        build(machine(store), ["stale"], confirm=DiesAt(BEFORE_THE_STORED_MANIFEST))
    build(machine(store, "b"), [*TEXTS, "yellow sky"])

    report = build(machine(store), [*TEXTS, "yellow sky"])

    assert (report.unchanged, report.generation) == (5, 2)


def test_what_killed_builds_have_left_is_removed_after_a_day(store: Path) -> None:
    with pytest.raises(Killed):
        build(machine(store), TEXTS, name="left", confirm=DiesAt(1))
    build(machine(store), TEXTS)
    assert [path.suffix for path in copies(machine(store))] == ["", ".build"]
    left = next(path for path in copies(machine(store)) if path.suffix == ".build")
    for path in (left, *left.rglob("*")):
        os.utime(path, (time.time() - 90_000,) * 2)

    build(machine(store), TEXTS[1:])

    assert [path.suffix for path in copies(machine(store))] == [""]


def test_a_build_that_ends_while_its_files_are_copied_is_read_instead(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(machine(store), TEXTS)
    download = IndexCopy._download
    others = [["other", "words"], ["still", "other"]]

    def overtaken(self: IndexCopy, name: str, record: Checksum) -> bool:
        if others:
            build(machine(store), others.pop())
        return download(self, name, record)

    monkeypatch.setattr(IndexCopy, "_download", overtaken)
    assert read(machine(store, "b")) == ["other", "words"]
    assert others == []


def test_many_that_fill_one_cache_download_each_file_once(
    store: Path, transfers: list[str]
) -> None:
    build(machine(store), TEXTS)
    reader = machine(store, "b")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: read(reader), range(8))) == [TEXTS] * 8
    assert len(transfers) == len(set(transfers))


def shard_of(folder: Path) -> Path:
    return next(path for path in folder.glob("shard-*") if ".terms" not in path.name)


def test_a_damaged_object_is_not_read_and_costs_a_new_build(store: Path) -> None:
    build(machine(store), TEXTS)
    shard = shard_of(store / "icu-en")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)

    with pytest.raises(ModelCorrupt, match=shard.name):
        read(machine(store, "b"))
    report = build(machine(store, "c"), TEXTS)

    assert report.rebuilt_because is not None
    assert shard.name in report.rebuilt_because
    assert read(machine(store, "b")) == TEXTS


def test_a_lost_object_is_not_waited_for(store: Path) -> None:
    build(machine(store), TEXTS)
    shard_of(store / "icu-en").unlink()
    with pytest.raises(ModelCorrupt, match="missing"):
        read(machine(store, "b"))


def test_a_manifest_that_is_not_understood_costs_a_new_build(store: Path) -> None:
    build(machine(store), TEXTS)
    (store / "icu-en" / "index.json").write_text("{}")
    with pytest.raises(ModelCorrupt):
        read(machine(store))
    assert build(machine(store), TEXTS).rebuilt_because is not None
    assert read(machine(store, "b")) == TEXTS


def test_a_cut_file_of_a_copy_is_downloaded_again(store: Path, transfers: list[str]) -> None:
    build(machine(store), TEXTS)
    reader = machine(store, "b")
    read(reader)
    (copy,) = copies(reader)
    shard = shard_of(copy)
    shard.write_bytes(shard.read_bytes()[:-1])
    transfers.clear()

    assert read(reader) == TEXTS
    assert transfers == [shard.name]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_copies_unused_for_longest_make_room(store: Path) -> None:
    for name in ("icu-en", "icu-de", "icu-fr"):
        build(machine(store), TEXTS, name=name)
    reader = machine(store, "b", cache_bytes=5 * size(store / "icu-en") // 2)
    for name in ("icu-en", "icu-de", "icu-en"):
        assert read(reader, name) == TEXTS

    assert read(reader, "icu-fr") == TEXTS

    assert [path.name[:6] for path in copies(reader)] == ["icu-en", "icu-fr"]


def test_an_index_larger_than_all_copies_may_be_is_not_copied(store: Path) -> None:
    small = machine(store, "b", cache_bytes=1000)
    build(small, TEXTS)
    assert copies(small) == []
    with pytest.raises(OSError, match="STORAGE__CACHE_BYTES allows 1000"):
        read(small)
    assert read(machine(store)) == TEXTS
    assert build(small, TEXTS).unchanged == 4


def test_a_copy_that_has_not_changed_is_known_to_those_who_have_opened_it(store: Path) -> None:
    build(machine(store), TEXTS)
    reader = machine(store, "b")
    read(reader)
    (copy,) = copies(reader)
    looked = {path.name: path.stat() for path in copy.iterdir()}
    read(reader)
    assert {path.name: path.stat() for path in copy.iterdir()} == looked


def test_embeddings_of_a_killed_build_are_kept(store: Path) -> None:
    def embed(texts: list[str], *, dies_at: int = 0) -> int:
        confirm = DiesAt(dies_at)
        indexes = machine(store)
        with index_files.building(indexes, "hashed", EmbeddingManifest.read, confirm) as building:
            return build_embeddings(
                building.directory,
                [Document(n, text, text_digest(text), "utf-8") for n, text in enumerate(texts)],
                feature_extractor="hashed",
                embedder=hashed_words(),
                before_publication=confirm,
                announce=building.announce,
            ).embedded

    assert embed(TEXTS) == 4
    with pytest.raises(Killed):
        embed([*TEXTS, "yellow"], dies_at=2)
    assert embed([*TEXTS, "yellow", "black"]) == 1
    with index_files.reading(machine(store, "b"), "hashed", EmbeddingManifest.read) as directory:
        assert directory is not None
        assert len(EmbeddingIndex.open(directory)) == 6
