from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from lexiclass.index.manifest import read_index_manifest
from lexiclass.manifest import text_digest
from lexiclass.sealed import seal, unseal
from lexiclass.serialization import read_all_arrays, write_arrays


def documents(texts: dict[int, str]) -> list[Document]:
    return [Document(number, text, text_digest(text), "utf-8") for number, text in texts.items()]


def content(index: DocumentIndex) -> dict[int, list[str]]:
    return dict(zip(index.ids.tolist(), index.tokens.to_lists(), strict=True))


TEXTS = {3: "red apple", 1: "green apple apple", 2: "ภาษาไทย"}


def test_an_index_holds_ids_digests_and_tokens(tmp_path):
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
    assert {index.tokens.terms[i]: counts[i] for i in np.flatnonzero(counts)} == Counter(
        ["green", "apple", "apple"]
    )
    assert index.rows_of([2, 9, 1, 0]).tolist() == [1, -1, 0, -1]
    index.verify()


CORPORA = st.dictionaries(
    st.integers(0, 9), st.sampled_from(["a", "a b", "b c c", "", "d"]), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(before=CORPORA, after=CORPORA)
def test_an_updated_index_equals_a_new_one(tmp_path_factory, before, after):
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

    def tokenize(self, text):
        self.seen.append(text)
        return text.split()


@pytest.fixture
def spying():
    from lexiclass import PluginInfo, PluginType, build_registry

    registry = build_registry()
    registry.register(
        PluginInfo(name="spy", type=PluginType.TOKENIZER, description="", implementation=Spy)
    )
    Spy.seen.clear()
    return registry


def test_only_what_changed_is_tokenized(tmp_path, spying):
    build_index(tmp_path, documents({1: "a", 2: "b"}), tokenizer="spy", registry=spying)
    Spy.seen.clear()
    changed = documents({2: "b", 1: "a x", 3: "c"})
    report = build_index(tmp_path, changed, tokenizer="spy", registry=spying)
    assert Spy.seen == ["a x", "c"]
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    assert DocumentIndex.open(tmp_path).tokens.terms == ["a", "b", "x", "c"]
    Spy.seen.clear()
    report = build_index(tmp_path, changed, tokenizer="spy", registry=spying, is_incremental=False)
    assert len(Spy.seen) == report.added == 3
    assert report.rebuilt_because is None


def test_unreadable_documents_are_reported_and_left_out(tmp_path):
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
def test_a_build_that_fails_leaves_the_index_as_it_was(tmp_path, given_documents, error, message):
    build_index(tmp_path, documents(TEXTS))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error, match=message):
        build_index(tmp_path, given_documents)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupted_build_leaves_the_index_as_it_was(tmp_path, monkeypatch):
    build_index(tmp_path, documents(TEXTS))
    before = sorted(path.name for path in tmp_path.iterdir())

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lexiclass.index.writer.write_index_manifest", fail)
        with pytest.raises(KeyboardInterrupt):
            build_index(tmp_path, documents({9: "new"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    # One that was killed leaves files, which the next build removes.
    (tmp_path / "terms.000001-abc.json").touch()
    build_index(tmp_path, documents(TEXTS))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_build_takes_one_generation_the_place_of_another(tmp_path):
    first = build_index(tmp_path, documents(TEXTS))
    second = build_index(tmp_path, documents({1: "other"}))
    assert (first.generation, second.generation) == (1, 2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert all("000002" in name for name in names if name != "index.json")


def test_a_reader_that_was_overtaken_reads_the_newer_generation(tmp_path, monkeypatch):
    build_index(tmp_path, documents(TEXTS))
    old = read_index_manifest(tmp_path)
    build_index(tmp_path, documents({1: "other"}))
    answers = [old]
    monkeypatch.setattr(
        "lexiclass.index.reader.read_index_manifest",
        lambda directory: answers.pop() if answers else read_index_manifest(directory),
    )
    assert content(DocumentIndex.open(tmp_path)) == {1: ["other"]}


def data_file(directory, kind: str):
    return next(directory.glob(f"{kind}.*"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: (d / "index.json").write_text("{}"),
        lambda d: (d / "index.json").unlink(),
        lambda d: data_file(d, "terms").unlink(),
        lambda d: data_file(d, "documents").write_bytes(b"short"),
        lambda d: data_file(d, "terms").write_bytes(
            data_file(d, "terms").read_bytes().replace(b"red", b"rod")
        ),
    ],
)
def test_a_damaged_index_is_built_again(tmp_path, spoil):
    build_index(tmp_path, documents(TEXTS))
    spoil(tmp_path)
    report = build_index(tmp_path, documents(TEXTS))
    assert report.added == 3
    assert "can't be trusted" in report.rebuilt_because
    index = DocumentIndex.open(tmp_path)
    index.verify()
    assert content(index)[3] == ["red", "apple"]


def test_changed_content_is_noticed_when_asked(tmp_path):
    build_index(tmp_path, documents(TEXTS))
    path = data_file(tmp_path, "terms")
    path.write_bytes(path.read_bytes().replace(b"red", b"rod"))
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        DocumentIndex.open(tmp_path).verify()


def rewrite_manifest(directory, **changes):
    path = directory / "index.json"
    path.write_bytes(seal({**unseal(path.read_bytes(), file="x"), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {}},
        {"num_tokens": 1},
        {"terms_file": "../terms.1-a.json"},
        {"surprise": 1},
        {"format_version": None},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, changes):
    build_index(tmp_path, documents(TEXTS))
    rewrite_manifest(tmp_path, **changes)
    with pytest.raises(ModelCorrupt):
        DocumentIndex.open(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": [0, 1, 2, 3, 4, 1, 99]},
        {"tokens": [0, 1, 2, 3, 4, 1, -1]},
        {"ids": [1, 1, 3]},
        {"indptr": [0, 3, 2, 7]},
        {"indptr": [0, 3]},
    ],
)
def test_arrays_that_make_no_index_are_refused(tmp_path, changes):
    build_index(tmp_path, documents(TEXTS))
    path = data_file(tmp_path, "documents")
    arrays = read_all_arrays(path)
    for name, values in changes.items():
        arrays[name] = np.array(values, dtype=arrays[name].dtype)
    write_arrays(path, arrays)
    record = {"sha256": "0" * 64, "size": path.stat().st_size}
    files = json.loads((tmp_path / "index.json").read_text())["files"]
    rewrite_manifest(tmp_path, files={**files, path.name: record})
    with pytest.raises(ModelCorrupt):
        DocumentIndex.open(tmp_path)


def test_another_tokenizer_or_icu_starts_anew(tmp_path):
    build_index(tmp_path, documents(TEXTS))
    report = build_index(tmp_path, documents(TEXTS), params={"lowercase": False})
    assert "made by icu-en-" in report.rebuilt_because
    rewrite_manifest(tmp_path, tokenizer_versions={"ICU": "12.1"})
    report = build_index(tmp_path, documents(TEXTS), params={"lowercase": False})
    assert "ICU 12.1" in report.rebuilt_because
    rewrite_manifest(tmp_path, format_version=2)
    with pytest.raises(PluginMismatch):
        DocumentIndex.open(tmp_path)


def test_a_key_names_one_configuration():
    assert index_key().startswith("icu-en-")
    assert index_key("icu", "en", {"lowercase": True}) == index_key()
    assert index_key("icu", "en_US") == index_key("icu", "en-US")
    assert len({index_key(), index_key(locale="de"), index_key(params={"min_length": 2})}) == 3
    with pytest.raises(PluginNotFound):
        index_key("ico")
    with pytest.raises(InvalidParameters):
        index_key(params={"x": 1})


def test_training_from_an_index_equals_training_from_texts(tmp_path, corpus):
    texts, labels = corpus
    build_index(tmp_path, documents(dict(enumerate(reversed(texts)))))
    build_index(tmp_path, documents(dict(enumerate(texts))))
    index = DocumentIndex.open(tmp_path)
    spec = PipelineSpec(feature_extractor="tfidf")
    from_texts, from_index = Pipeline(spec), Pipeline(spec)
    assert index.fits(from_index.spec)
    assert not index.fits(Pipeline(PipelineSpec(locale="de")).spec)
    from_texts.fit(texts, labels)
    digests = [index.digest_of(row) for row in range(len(index))]
    from_index.fit_tokens(index.tokens, labels, digests=digests)
    first = from_texts.save(tmp_path / "a")
    second = from_index.save(tmp_path / "b")
    assert first.model_digest == second.model_digest
    assert first.training_digest == second.training_digest
