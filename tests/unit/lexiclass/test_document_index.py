from __future__ import annotations

import hashlib
import hmac
import inspect
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexiclass import (
    Document,
    DocumentIndex,
    InvalidParameters,
    ModelCorrupt,
    NoDocuments,
    Pipeline,
    PipelineSpec,
    PluginMismatch,
    PluginNotFound,
    UnreadableDocument,
    build_index,
    index_key,
)
from lexiclass.checksums import FileRecord
from lexiclass.index.store.manifest import is_staged_manifest
from lexiclass.index.store.source import TextSource
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.index.tokens.shard import _stamp
from lexiclass.manifest import text_digest
from lexiclass.memmap import MemmapFile
from lexiclass.plugins.base import PluginContext
from lexiclass.plugins.registry import Registry
from lexiclass.plugins.tokenizers.icu.tokenizer import IcuParameters, IcuTokenizer
from lexiclass.self_digest import dump_with_digest, load_with_digest
from lexiclass.serialization import read_all_arrays, write_arrays
from lexiclass.tokens import TokenMatrix
from tests.support.easy_corpus import Corpus
from tests.support.variants import examples


def documents(texts: dict[int, str]) -> list[Document]:
    return [Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()]


def content(index: DocumentIndex) -> dict[int, list[str]]:
    return dict(zip(index.ids.tolist(), index.tokens().to_lists(), strict=True))


TEXTS = {3: "red apple", 1: "green apple apple", 2: "ภาษาไทย"}


def test_an_index_holds_ids_digests_and_tokens(tmp_path: Path) -> None:
    report = build_index(tmp_path / "i", iter(documents(TEXTS)))
    index = DocumentIndex.open(tmp_path / "i")
    assert (report.num_documents, report.added, report.generation) == (3, 3, 1)
    assert report.num_terms == 5
    assert list(report.stage_seconds) == ["open", "tokenize", "write"]
    assert report.rebuilt_because is None
    assert len(index) == 3
    assert content(index) == {
        1: ["green", "apple", "apple"],
        2: ["ภาษา", "ไทย"],
        3: ["red", "apple"],
    }
    assert index.digest_of(0) == text_digest(TEXTS[1])
    counts = index.counts().toarray()[0]
    assert {index.terms[i]: counts[i] for i in np.flatnonzero(counts)} == Counter(
        ["green", "apple", "apple"]
    )
    assert index.rows_of([2, 9, 1, 0]).tolist() == [1, -1, 0, -1]
    index.verify()


CORPORA = st.dictionaries(
    st.integers(0, 9), st.sampled_from(["a", "a b", "b c c", "", "d"]), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(before=CORPORA, after=CORPORA)
def test_an_updated_index_equals_a_new_one(
    tmp_path_factory: pytest.TempPathFactory, before: dict[int, str], after: dict[int, str]
) -> None:
    directory = tmp_path_factory.mktemp("index")
    build_index(directory / "updated", documents(before))
    report = build_index(directory / "updated", documents(after))
    build_index(directory / "new", documents(after))
    updated, new = (DocumentIndex.open(directory / name) for name in ("updated", "new"))
    assert content(updated) == content(new)
    np.testing.assert_array_equal(updated.digests, new.digests)
    same = {number for number in after if before.get(number) == after[number]}
    assert report.unchanged == len(same)
    assert report.added == len(after.keys() - before.keys())
    assert report.changed == len(after.keys() & before.keys()) - len(same)
    assert report.removed == len(before.keys() - after.keys())


class Spy:
    """A tokenizer that notes what it was given."""

    seen: list[str] = []  # noqa: RUF012 - instances are made by the registry

    def tokenize(self, text: str) -> list[str]:
        self.seen.append(text)
        return text.split()


@pytest.fixture
def spying() -> Registry:
    from lexiclass import PluginInfo, PluginType, build_registry

    registry = build_registry()
    registry.register(
        PluginInfo(name="spy", type=PluginType.TOKENIZER, description="", implementation=Spy)
    )
    Spy.seen.clear()
    return registry


def test_only_what_changed_is_tokenized(tmp_path: Path, spying: Registry) -> None:
    build_index(tmp_path, documents({1: "a", 2: "b"}), tokenizer="spy", registry=spying)
    Spy.seen.clear()
    changed = documents({2: "b", 1: "a x", 3: "c"})
    report = build_index(tmp_path, changed, tokenizer="spy", registry=spying)
    assert Spy.seen == ["a x", "c"]
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    assert DocumentIndex.open(tmp_path).terms == ["a", "b", "x", "c"]
    Spy.seen.clear()
    report = build_index(tmp_path, changed, tokenizer="spy", registry=spying, is_incremental=False)
    assert len(Spy.seen) == report.added == 3
    assert report.rebuilt_because is None


def test_unreadable_documents_are_reported_and_left_out(tmp_path: Path) -> None:
    build_index(tmp_path, documents({1: "a", 2: "b"}))
    report = build_index(tmp_path, [*documents({1: "a"}), UnreadableDocument(2, "missing")])
    assert dict(report.failed) == {2: "missing"}
    assert (report.unchanged, report.removed) == (1, 0)
    assert DocumentIndex.open(tmp_path).ids.tolist() == [1]
    report = build_index(tmp_path, [UnreadableDocument(1, "binary")])
    assert report.num_documents == len(DocumentIndex.open(tmp_path)) == 0


@pytest.mark.parametrize(
    ("given_documents", "error", "message"),
    [
        ([], NoDocuments, "no documents to index"),
        (documents({1: "a"}) * 2, InvalidParameters, "1 was given twice"),
        ([Document("x", "a", "00" * 16, "utf-8")], InvalidParameters, "'x' is not an integer"),
        ([Document(1, "a", "00", "utf-8")], InvalidParameters, "expected 16 bytes"),
        ([Document(1, "a", "grün", "utf-8")], InvalidParameters, "expected 16 bytes"),
    ],
)
def test_a_build_that_fails_leaves_the_index_as_it_was(
    tmp_path: Path,
    given_documents: list[Document],
    error: type[InvalidParameters] | type[NoDocuments],
    message: str,
) -> None:
    build_index(tmp_path, documents(TEXTS))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error, match=message):
        build_index(tmp_path, given_documents)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@dataclass(frozen=True)
class Signer:
    """Signs with a key that who writes to the directory does not know."""

    key: bytes

    def sign(self, content: bytes) -> str:
        return hmac.new(self.key, content, hashlib.sha256).hexdigest()

    def verify(self, content: bytes, claimed: object) -> bool:
        return self.sign(content) == claimed


def killed_while_indexing(
    directory: Path, texts: dict[int, str], *, after_shards: int, signer: Signer | None = None
) -> None:
    """Run a build in a process of its own that is killed once some shards are finished."""
    code = f"""
import itertools, os, signal
from lexiclass.index import build_index
from lexiclass.index.tokens import encoding, spreading
from lexiclass import Document
from lexiclass.manifest import text_digest
from pathlib import Path
from dataclasses import dataclass
import hashlib, hmac
{inspect.getsource(Signer)}
spreading._SHARD_DOCUMENTS = 1
write, count = encoding.ShardEncoder.encode, itertools.count()
def encode(self, *args):
    if next(count) == {after_shards}:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, *args)
encoding.ShardEncoder.encode = encode
texts = {texts!r}
build_index(Path({str(directory)!r}),
    [Document(n, text, text_digest(text), "utf-8") for n, text in texts.items()],
    signer={signer!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def test_a_killed_build_leaves_the_index_and_the_next_one_goes_on_from_it(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    before = IndexManifest.read(tmp_path)
    edited = {1: "edited", 2: TEXTS[2], 4: "fourth", 5: "fifth"}
    killed_while_indexing(tmp_path, edited, after_shards=3)
    assert IndexManifest.read(tmp_path) == before
    assert content(DocumentIndex.open(tmp_path))[3] == ["red", "apple"]

    # Finished, but no longer what the document says.
    edited[4] = "fourth again"
    left = len(list(tmp_path.glob("shard-*.json")))
    report = build_index(tmp_path, documents(edited))
    assert left == 2
    assert (report.added, report.changed, report.unchanged, report.removed) == (2, 1, 1, 1)
    assert content(DocumentIndex.open(tmp_path)) == {
        1: ["edited"],
        2: ["ภาษา", "ไทย"],
        4: ["fourth", "again"],
        5: ["fifth"],
    }
    assert not list(tmp_path.glob("shard-*.json"))


@pytest.mark.slow
def test_shards_of_a_killed_build_are_not_tokenized_again(
    tmp_path: Path, tokenized: list[str]
) -> None:
    texts = {number: f"text {number}" for number in range(4)}
    killed_while_indexing(tmp_path, texts, after_shards=3)

    report = build_index(tmp_path, documents(texts))

    assert tokenized == ["text 3"]
    assert report.added == 4
    DocumentIndex.open(tmp_path).verify()


@pytest.fixture
def tokenized(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is tokenized."""
    seen: list[str] = []
    encode = IcuTokenizer.encode

    def noting(self: IcuTokenizer, documents: Iterable[str], vocabulary: Any = None) -> TokenMatrix:
        batch = list(documents)
        seen.extend(batch)
        return encode(self, batch, vocabulary)

    monkeypatch.setattr(IcuTokenizer, "encode", noting)
    return seen


@pytest.mark.slow
def test_shards_that_were_signed_are_gone_on_from(tmp_path: Path, tokenized: list[str]) -> None:
    texts = {number: f"text {number}" for number in range(4)}
    signer = Signer(b"a key")
    killed_while_indexing(tmp_path, texts, after_shards=3, signer=signer)

    report = build_index(tmp_path, documents(texts), signer=signer)

    assert tokenized == ["text 3"]
    assert report.added == 4


@pytest.mark.parametrize("forger", [None, Signer(b"another key")])
def test_shards_that_another_has_made_are_not(
    tmp_path: Path, tokenized: list[str], forger: Signer | None
) -> None:
    texts = {number: f"text {number}" for number in range(3)}
    # Tokens of another text under the digest of this one, and every checksum fits.
    forged = documents(texts)
    for document, text in zip(forged, ("one", "two", "three"), strict=True):
        object.__setattr__(document, "text", text)
    with pytest.raises(RuntimeError, match="killed"):
        build_index(tmp_path, forged, signer=forger, before_publication=_die)
    assert len(list(tmp_path.glob("shard-*.json"))) == 1
    tokenized.clear()

    build_index(tmp_path, documents(texts), signer=Signer(b"a key"))

    assert tokenized == list(texts.values())
    index = DocumentIndex.open(tmp_path)
    assert content(index) == {number: ["text", str(number)] for number in range(3)}
    assert {path.name for path in tmp_path.iterdir()} == {"index.json", *index.manifest.files}


@pytest.mark.slow
def test_a_signature_is_of_one_shard_and_its_checksum(tmp_path: Path, tokenized: list[str]) -> None:
    texts = {number: f"text {number}" for number in range(4)}
    signer = Signer(b"a key")
    killed_while_indexing(tmp_path, texts, after_shards=3, signer=signer)
    first, second, third = sorted(tmp_path.glob("shard-*.json"))
    claims = [load_with_digest(path.read_bytes(), file=path.name) for path in (first, second)]
    # The signature of another, and a checksum that fits what lies there.
    exchanged = {**claims[0], "signature": claims[1]["signature"]}
    first.write_bytes(dump_with_digest(exchanged))
    second.with_suffix(".safetensors").write_bytes(third.with_suffix(".safetensors").read_bytes())
    claims[1]["shard"]["file"] = FileRecord.of(third.with_suffix(".safetensors")).model_dump()
    second.write_bytes(dump_with_digest(claims[1]))

    build_index(tmp_path, documents(texts), signer=signer)

    assert len(tokenized) == 3
    index = DocumentIndex.open(tmp_path)
    assert content(index) == {number: ["text", str(number)] for number in range(4)}


def _die() -> None:
    raise RuntimeError("killed")


@pytest.mark.slow
def test_what_a_killed_build_has_damaged_is_not_used(tmp_path: Path) -> None:
    texts = {number: f"text {number}" for number in range(3)}
    killed_while_indexing(tmp_path, texts, after_shards=2)
    first, second = sorted(tmp_path.glob("shard-*.safetensors"))
    first.write_bytes(first.read_bytes()[:-1])
    second.with_suffix(".json").write_text("{}")
    build_index(tmp_path, documents(texts))
    index = DocumentIndex.open(tmp_path)
    index.verify()
    assert content(index) == {number: ["text", str(number)] for number in range(3)}
    assert {path.name for path in tmp_path.iterdir()} == {"index.json", *index.manifest.files}


def test_a_manifest_that_a_later_build_has_removed_replaces_none(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    before = (tmp_path / "index.json").read_bytes()

    def remove(digest: str) -> None:
        del digest
        (staged,) = [path for path in tmp_path.iterdir() if is_staged_manifest(path.name)]
        staged.unlink()

    with pytest.raises(FileNotFoundError, match="a later build of the index has begun"):
        build_index(tmp_path, documents({1: "other"}), announce=remove)

    assert (tmp_path / "index.json").read_bytes() == before


def test_a_manifest_that_a_killed_build_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".index.json.0123.partial").touch()

    build_index(tmp_path, documents(TEXTS))

    named = IndexManifest.read(tmp_path).files
    assert {path.name for path in tmp_path.iterdir()} == {"index.json", *named}


def test_a_build_takes_one_generation_the_place_of_another(tmp_path: Path) -> None:
    first = build_index(tmp_path, documents(TEXTS))
    open_before = DocumentIndex.open(tmp_path)
    second = build_index(tmp_path, documents({1: "other"}))
    assert (first.generation, second.generation) == (1, 2)
    manifest = IndexManifest.read(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"index.json", *manifest.files}
    # Its files are gone, and still mapped.
    assert content(open_before)[3] == ["red", "apple"]


def test_a_build_that_finds_nothing_new_writes_nothing(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    report = build_index(tmp_path, documents(TEXTS))
    assert (report.unchanged, report.generation) == (3, 1)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("num_processes", [1, 3])
def test_processes_share_the_work_and_give_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_processes: int
) -> None:
    monkeypatch.setattr("lexiclass.index.tokens.spreading._SMALLEST_SHARD_BYTES", 100)
    texts = {number: f"word{number % 7} and word{number % 5}\nภาษาไทย" for number in range(100)}
    edited = {**texts, 3: "edited", 200: "new"}
    del edited[50]
    unreadable = [UnreadableDocument(300, "binary")]
    build_index(tmp_path, documents(texts), num_processes=num_processes)
    report = build_index(tmp_path, [*documents(edited), *unreadable], num_processes=num_processes)
    assert (report.added, report.changed, report.unchanged, report.removed) == (1, 1, 98, 1)
    assert dict(report.failed) == {300: "binary"}
    index = DocumentIndex.open(tmp_path)
    expected = IcuTokenizer(IcuParameters(), PluginContext()).tokenize_batch(list(edited.values()))
    assert content(index) == dict(sorted(zip(edited, expected, strict=True)))


def test_no_process_waits_for_a_last_small_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass.index.tokens.spreading._SHARD_BYTES", 3_200)
    monkeypatch.setattr("lexiclass.index.tokens.spreading._SMALLEST_SHARD_BYTES", 100)
    texts = {number: f"{number:09}" for number in range(777)}  # 7 kB: 3.2, 3.2 and 0.6
    build_index(tmp_path, documents(texts), num_processes=2)
    sizes = [record.num_documents for record in IndexManifest.read(tmp_path).shards]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) < 5


def test_many_small_and_sparse_shards_become_one(tmp_path: Path) -> None:
    texts: dict[int, str] = {}
    for number in range(30):
        texts[number] = f"text number {number}"
        texts.pop(number - 20, None)
        report = build_index(tmp_path, documents(texts))
        assert report.num_shards < 12
    index = DocumentIndex.open(tmp_path)
    index.verify()
    assert content(index) == {number: ["text", "number", str(number)] for number in range(10, 30)}
    assert len(index.manifest.terms) <= 16


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(25),
)
@given(
    corpora=st.lists(CORPORA, min_size=1, max_size=4),
    rows=st.lists(st.integers(0, 8), max_size=5),
)
def test_slices_are_what_the_tokenizer_gives(
    tmp_path_factory: pytest.TempPathFactory, corpora: list[dict[int, str]], rows: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("index")
    for corpus in corpora:
        build_index(directory, documents(corpus))
    index = DocumentIndex.open(directory)
    tokenizer = IcuTokenizer(IcuParameters(), PluginContext())
    expected = tokenizer.tokenize_batch([corpora[-1][number] for number in index.ids.tolist()])
    chosen = np.array([row % len(index) for row in rows], dtype=np.int64)
    assert index.tokens(chosen).to_lists() == [expected[row] for row in chosen]
    counts = index.counts(chosen)
    for row, number in enumerate(chosen):
        found = counts[[row]].tocoo()
        terms = {
            index.terms[column]: count for column, count in zip(found.col, found.data, strict=True)
        }
        assert terms == Counter(expected[number])


def test_a_reader_that_was_overtaken_reads_the_newer_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path, documents(TEXTS))
    old = IndexManifest.read(tmp_path)
    build_index(tmp_path, documents({1: "other"}))
    answers = [old]
    read = IndexManifest.read
    monkeypatch.setattr(
        IndexManifest,
        "read",
        lambda directory: answers.pop() if answers else read(directory),
    )
    assert content(DocumentIndex.open(tmp_path)) == {1: ["other"]}


def data_file(directory: Path, kind: str) -> Path:
    return next(path for path in directory.glob(f"{kind}-*") if ".terms." not in path.name)


def flip(path: Path, old: bytes = b"red", new: bytes = b"rod", *, is_written: bool = True) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(content.replace(old, new))
    if is_written:  # later than the clock of the kernel ticks
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10_000_000))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: (d / "index.json").write_text("{}"),
        lambda d: (d / "index.json").unlink(),
        lambda d: data_file(d, "terms").unlink(),
        lambda d: data_file(d, "documents").write_bytes(b"short"),
        lambda d: data_file(d, "shard").write_bytes(b""),
        lambda d: next(d.glob("*.terms.*")).unlink(),
        lambda d: flip(data_file(d, "terms")),
        lambda d: flip(data_file(d, "shard")),
    ],
)
def test_a_damaged_index_is_built_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    build_index(tmp_path, documents(TEXTS))
    spoil(tmp_path)
    report = build_index(tmp_path, documents(TEXTS))
    assert report.added == 3
    assert "can't be trusted" in str(report.rebuilt_because)
    index = DocumentIndex.open(tmp_path)
    index.verify()
    assert content(index)[3] == ["red", "apple"]


def spy_on_verification(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which files are read to the last byte."""
    verified: list[str] = []
    verify = MemmapFile.verify

    def noting(file: MemmapFile) -> None:
        verified.append(file.name)
        verify(file)

    monkeypatch.setattr(MemmapFile, "verify", noting)
    return verified


def test_a_build_reads_no_shard_that_nobody_has_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path, documents(TEXTS))
    verified = spy_on_verification(monkeypatch)
    build_index(tmp_path, documents(TEXTS))
    build_index(tmp_path, documents({**TEXTS, 4: "new"}))
    build_index(tmp_path, documents({**TEXTS, 4: "new", 5: "newer"}))
    assert not [name for name in verified if name.startswith("shard")]
    DocumentIndex.open(tmp_path).verify()
    path = data_file(tmp_path, "shard")
    os.utime(path)
    verified.clear()
    build_index(tmp_path, documents({**TEXTS, 4: "new", 5: "newest"}))
    build_index(tmp_path, documents({**TEXTS, 4: "new", 5: "latest"}))
    assert verified.count(path.name) == 1


def test_what_a_disk_has_lost_is_never_read_nor_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path, documents(TEXTS))
    flip(data_file(tmp_path, "shard"))
    # Nobody wrote to it: its stamp is the one it was found whole with.
    manifest = IndexManifest.read(tmp_path)
    record = manifest.shards[0].model_copy(
        update={"stamp": _stamp(tmp_path, manifest.shards[0])},
    )
    manifest.model_copy(update={"shards": [record]}).write(tmp_path, announce=lambda _: None)

    assert build_index(tmp_path, documents(TEXTS)).unchanged == 3
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        DocumentIndex.open(tmp_path).tokens()
    with pytest.raises(ModelCorrupt, match="SHA-256"):  # compaction reads it
        build_index(tmp_path, documents({3: TEXTS[3]}))
    report = build_index(tmp_path, TextSource(documents({3: TEXTS[3]})))
    assert report.added == 1
    assert "SHA-256" in str(report.rebuilt_because)
    assert content(DocumentIndex.open(tmp_path)) == {3: ["red", "apple"]}


def test_changed_content_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    flip(data_file(tmp_path, "shard"))
    index = DocumentIndex.open(tmp_path)
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        index.verify()
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        index.tokens()
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        index.counts()


def test_changed_terms_are_noticed_when_it_is_opened(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    flip(data_file(tmp_path, "terms"))
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        DocumentIndex.open(tmp_path)


def rewrite_manifest(directory: Path, **changes: Any) -> None:
    path = directory / "index.json"
    path.write_bytes(dump_with_digest({**load_with_digest(path.read_bytes(), file="x"), **changes}))


def test_an_index_of_names_that_were_not_split_is_read_as_such_and_made_anew(
    tmp_path: Path,
) -> None:
    build_index(tmp_path, documents({1: "a numpy.array"}), params={"split_identifiers": False})
    configuration = json.loads((tmp_path / "index.json").read_text())["configuration"]
    del configuration["params"]["split_identifiers"]
    rewrite_manifest(tmp_path, configuration=configuration)

    index = DocumentIndex.open(tmp_path)
    assert index.fits(Pipeline(PipelineSpec(tokenizer_params={"split_identifiers": False})))
    assert not index.fits(Pipeline(PipelineSpec()))
    report = build_index(tmp_path, documents({1: "a numpy.array"}))
    assert "was made by icu-en" in str(report.rebuilt_because)
    assert content(DocumentIndex.open(tmp_path)) == {1: ["a", "numpy", "array"]}


def renamed(directory: Path, **changes: Any) -> None:
    manifest = json.loads((directory / "index.json").read_text())
    rewrite_manifest(directory, documents={**manifest["documents"], **changes})


@pytest.mark.parametrize(
    "change",
    [
        lambda d: rewrite_manifest(d, shards=[]),
        lambda d: rewrite_manifest(d, surprise=1),
        lambda d: rewrite_manifest(d, format_version=None),
        lambda d: renamed(d, name="../documents-00.safetensors"),
        lambda d: renamed(d, num_documents=1),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    build_index(tmp_path, documents(TEXTS))
    change(tmp_path)
    with pytest.raises(ModelCorrupt):
        DocumentIndex.open(tmp_path)


@pytest.mark.parametrize(
    ("kind", "record", "changes"),
    [
        ("documents", "documents", {"ids": [1, 1, 3]}),
        ("documents", "documents", {"ids": [1, 2]}),
        ("documents", "documents", {"shards": [0, 0, 1]}),
        ("documents", "documents", {"rows": [0, 1, 3]}),
        ("documents", "documents", {"rows": [0, 1, -1]}),
        ("shard", "shards", {"indptr": [0, 3]}),
        ("shard", "shards", {"indptr": [0, 3, 2, 8]}),
        ("shard", "shards", {"tokens": [1, 2]}),
        ("shard", "shards", {"stamps": [0]}),
    ],
)
def test_arrays_that_make_no_index_are_refused(
    tmp_path: Path, kind: str, record: str, changes: dict[str, list[int]]
) -> None:
    build_index(tmp_path, documents(TEXTS))
    forge(tmp_path, data_file(tmp_path, kind), record, "file", changes)
    with pytest.raises(ModelCorrupt):
        DocumentIndex.open(tmp_path)


def forge(directory: Path, path: Path, record: str, key: str, changes: dict[str, Any]) -> None:
    """Write other arrays, with the checksum that goes with them."""
    arrays = read_all_arrays(path)
    for name, change in changes.items():
        arrays[name] = (
            change(arrays[name].copy())
            if callable(change)
            else np.array(change, dtype=arrays[name].dtype)
        )
    write_arrays(path, arrays)
    content = json.loads((directory / "index.json").read_text())[record]
    file = {key: FileRecord.of(path).model_dump()}
    rewrite_manifest(
        directory,
        **{record: [content[0] | file] if isinstance(content, list) else content | file},
    )


#: What is done to an array of an index.
Change = Callable[[NDArray[Any]], NDArray[Any]]


def last(value: int, dtype: type[np.int32] | None = None) -> Change:
    """Replace the last entry of an array."""

    def change(array: NDArray[Any]) -> NDArray[Any]:
        array = array if dtype is None else array.astype(dtype)
        array[-1] = value
        return array

    return change


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("numbers", {"numbers": last(5)}),
        ("numbers", {"numbers": last(-1)}),
        ("numbers", {"numbers": last(2**31 - 1)}),
        ("shard", {"tokens": last(5)}),
        ("shard", {"tokens": last(-1, np.int32)}),
        ("shard", {"count_terms": last(5)}),
        ("shard", {"count_terms": last(-1, np.int32)}),
        ("shard", {"counts": last(0)}),
        ("shard", {"counts": last(-7, np.int32)}),
        ("shard", {"tokens": lambda array: array.astype(np.float32)}),
        ("shard", {"count_indptr": lambda array: array.astype(np.uint64)}),
        ("numbers", {"numbers": lambda array: array.astype(np.int64)}),
        ("shard", {"text_offsets": last(10_000)}),
        ("shard", {"text_offsets": lambda array: array[::-1]}),
    ],
)
def test_numbers_that_lead_out_of_an_index_are_never_followed(
    tmp_path: Path, file: str, changes: dict[str, Change]
) -> None:
    build_index(tmp_path, documents(TEXTS))
    path = data_file(tmp_path, "shard")
    if file == "numbers":
        path = next(tmp_path.glob("*.terms.*"))
    forge(tmp_path, path, "shards", "numbers" if file == "numbers" else "file", changes)
    for read in (DocumentIndex.tokens, DocumentIndex.counts, DocumentIndex.verify):
        with pytest.raises(ModelCorrupt):
            read(DocumentIndex.open(tmp_path))
    report = build_index(tmp_path, documents(TEXTS))
    assert report.added == 3
    assert "can't be trusted" in str(report.rebuilt_because)


@pytest.mark.parametrize(
    "offsets", [last(10_000), last(1), lambda array: array[::-1], lambda array: array - 1]
)
def test_lists_of_terms_that_overlap_are_refused(tmp_path: Path, offsets: Change) -> None:
    build_index(tmp_path, documents(TEXTS))
    forge(tmp_path, data_file(tmp_path, "terms"), "terms", "file", {"text_offsets": offsets})
    with pytest.raises(ModelCorrupt, match="terms"):
        DocumentIndex.open(tmp_path)


def test_another_tokenizer_or_icu_starts_anew(tmp_path: Path) -> None:
    build_index(tmp_path, documents(TEXTS))
    report = build_index(tmp_path, documents(TEXTS), params={"lowercase": False})
    assert "made by icu-en-" in str(report.rebuilt_because)
    rewrite_manifest(tmp_path, tokenizer_versions={"ICU": "12.1"})
    report = build_index(tmp_path, documents(TEXTS), params={"lowercase": False})
    assert "ICU 12.1" in str(report.rebuilt_because)
    rewrite_manifest(tmp_path, format_version=99)
    with pytest.raises(PluginMismatch):
        DocumentIndex.open(tmp_path)


def test_a_key_names_one_configuration() -> None:
    assert index_key().startswith("icu-en-")
    assert index_key("icu", "en", {"lowercase": True}) == index_key()
    assert index_key("icu", "en_US") == index_key("icu", "en-US")
    assert len({index_key(), index_key(locale="de"), index_key(params={"min_length": 2})}) == 3
    with pytest.raises(PluginNotFound):
        index_key("ico")
    with pytest.raises(InvalidParameters):
        index_key(params={"x": 1})


def test_training_from_an_index_equals_training_from_texts(tmp_path: Path, corpus: Corpus) -> None:
    texts, labels = corpus
    build_index(tmp_path, documents(dict(enumerate(reversed(texts)))))
    build_index(tmp_path, documents(dict(enumerate(texts))))
    index = DocumentIndex.open(tmp_path)
    spec = PipelineSpec(feature_extractor="tfidf")
    from_texts, from_index = Pipeline(spec), Pipeline(spec)
    assert index.fits(from_index)
    assert not index.fits(Pipeline(PipelineSpec(locale="de")))
    from_texts.fit(texts, labels)
    digests = [index.digest_of(row) for row in range(len(index))]
    from_index.fit_tokens(index.tokens(), labels, digests=digests)
    first = from_texts.save(tmp_path / "a")
    second = from_index.save(tmp_path / "b")
    assert first.model_digest == second.model_digest
    assert first.training_digest == second.training_digest


OTHERS = st.lists(
    st.lists(st.sampled_from("goal shares orbit the with kiwi".split()), max_size=9).map(" ".join)
)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["bow", "tfidf"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15))
@given(before=OTHERS, after=OTHERS)
def test_documents_that_are_not_trained_on_leave_no_trace_in_a_model(
    tmp_path_factory: pytest.TempPathFactory,
    corpus: Corpus,
    features: str,
    before: list[str],
    after: list[str],
) -> None:
    texts, labels = corpus
    selected = {"ngram_range": [1, 2], "min_df": 0.05, "max_df": 0.6}
    spec = PipelineSpec(feature_extractor=features, feature_extractor_params=selected)
    directory = tmp_path_factory.mktemp("index")
    build_index(directory, documents(dict(enumerate([*before, *texts, *after]))))
    index = DocumentIndex.open(directory)
    rows = index.rows_of(range(len(before), len(before) + len(texts)))

    alone, beside_others = Pipeline(spec), Pipeline(spec)
    alone.fit(texts, labels)
    digests = [index.digest_of(row) for row in rows]
    beside_others.fit_tokens(index.tokens(rows), labels, digests=digests)

    first, second = alone.save(directory / "a"), beside_others.save(directory / "b")
    assert first.model_digest == second.model_digest
