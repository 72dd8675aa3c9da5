from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PluginMismatch,
    read_manifest,
    verify_model,
)
from lexiclass.manifest import training_digest
from lexiclass.self_digest import dump_with_digest, load_with_digest
from tests.support.damage import damaged, rewrite_manifest
from tests.support.easy_corpus import Corpus


@pytest.fixture(scope="module")
def saved(trained: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "model"
    trained.save(directory, metadata={"field": 7, "note": "größer"})
    return directory


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


def test_the_manifest_says_what_the_model_is(saved: Path, corpus: Corpus) -> None:
    manifest = read_manifest(saved)
    assert manifest.format_version == 6
    assert manifest.classes == ("business", "science", "sports")
    assert manifest.metadata == {"field": 7, "note": "größer"}
    assert manifest.spec.feature_extractor_params["ngram_range"] == [1, 2]
    assert manifest.plugin_versions["tokenizer"]["ICU"]
    assert set(manifest.library_versions) == {
        "ICU", "icu4py", "lexiclass", "numpy", "python", "scikit-learn", "scipy",
    }  # fmt: skip
    assert manifest.num_documents == 60
    on_disk = {p.relative_to(saved).as_posix() for p in saved.rglob("*") if p.is_file()}
    assert set(manifest.files) == on_disk - {"manifest.json"}
    assert verify_model(saved) == manifest


def test_the_training_digest_does_not_depend_on_order() -> None:
    assert training_digest([("a", "x"), ("b", "y")]) == training_digest([("b", "y"), ("a", "x")])
    assert training_digest([("a", "x")]) != training_digest([("a", "y")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    model = tmp_path / "model"
    if not model.exists():
        shutil.copytree(saved, model)
    with damaged(model, data), pytest.raises((ModelCorrupt, PluginMismatch)):
        Pipeline.load(model)


@pytest.mark.parametrize(
    ("spoil", "file"),
    [
        (lambda m: (m / "classifier/planes.safetensors").unlink(), "classifier/planes.safetensors"),
        (lambda m: (m / "extra.txt").touch(), "extra.txt"),
        (lambda m: (m / "manifest.json").unlink(), "manifest.json"),
        (lambda m: (m / "manifest.json").write_bytes(b"[]"), "manifest.json"),
        (lambda m: (m / "manifest.json").write_bytes(b"{" * 10**5), "manifest.json"),
        (lambda m: rewrite_manifest(m, classes=3), "manifest.json"),
        (lambda m: rewrite_manifest(m, classes=["a", "b", "c"]), "manifest.json"),
        (lambda m: rewrite_manifest(m, format_version="1"), "manifest.json"),
        (lambda m: rewrite_manifest(m, format_version=True), "manifest.json"),
        (lambda m: rewrite_manifest(m, format_version=0), "manifest.json"),
        (lambda m: rewrite_manifest(m, format_version=-3), "manifest.json"),
        (lambda m: rewrite_manifest(m, format_version=2.0), "manifest.json"),
        (lambda m: rewrite_manifest(m, surprise=1), "manifest.json"),
        (shutil.rmtree, "manifest.json"),
    ],
)
def test_what_is_wrong_is_named(model: Path, spoil: Callable[[Path], object], file: str) -> None:
    spoil(model)
    with pytest.raises(ModelCorrupt) as caught:
        Pipeline.load(model)
    assert caught.value.file == file


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hostname"])
def test_no_file_outside_the_directory_is_read(model: Path, name: str) -> None:
    (model.parent / "outside.txt").write_text("secret")
    files = {n: r.model_dump() for n, r in read_manifest(model).files.items()}
    rewrite_manifest(model, files={**files, name: {"sha256": "0" * 64, "size": 6}})
    with pytest.raises(ModelCorrupt, match="names no file of the directory"):
        Pipeline.load(model)


@pytest.mark.parametrize("name", ["classifier/planes.safetensors", "classifier", "manifest.json"])
def test_symbolic_links_are_not_followed(model: Path, name: str) -> None:
    (model / name).rename(model.parent / "elsewhere")
    (model / name).symlink_to(model.parent / "elsewhere")
    with pytest.raises(ModelCorrupt):
        Pipeline.load(model)


def test_another_icu_is_a_mismatch(model: Path) -> None:
    rewrite_manifest(model, plugin_versions={"tokenizer": {"ICU": "12.1"}})
    with pytest.raises(PluginMismatch, match=r"ICU 12\.1, here is ICU"):
        Pipeline.load(model)


def test_a_newer_format_is_a_mismatch(model: Path) -> None:
    rewrite_manifest(model, format_version=7)
    with pytest.raises(PluginMismatch, match="reads up to format 6"):
        Pipeline.load(model)


def test_nothing_is_overwritten(trained: Pipeline, model: Path) -> None:
    before = (model / "manifest.json").read_bytes()
    with pytest.raises(InvalidParameters, match="exists already"):
        trained.save(model)
    assert (model / "manifest.json").read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == ["model"]


def test_an_empty_directory_is_filled(trained: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    trained.save(tmp_path / "model")
    assert Pipeline.load(tmp_path / "model").classes == trained.classes


@pytest.mark.parametrize("metadata", [{"x": float("nan")}, {"x": object()}, {"x": "\ud800"}])
def test_a_failing_save_leaves_nothing_behind(
    trained: Pipeline, tmp_path: Path, metadata: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameters, match="JSON"):
        trained.save(tmp_path / "model", metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_can_not_be_written_is_told(trained: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        trained.save(tmp_path / "file" / "model")


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: key != "digest"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
            .filter(lambda x: abs(x) < 1e300),
            st.lists,
            max_leaves=5,
        ),
    )
)  # fmt: skip
def test_what_is_dumped_with_a_digest_comes_back(content: dict[str, Any]) -> None:
    assert load_with_digest(dump_with_digest(content), file="x") == json.loads(json.dumps(content))


def test_a_digest_notices_what_parsing_forgives() -> None:
    data = dump_with_digest({"a": 1})
    for changed in (data + b" ", data.replace(b'"a":1', b'"a":2,"a":1')):
        with pytest.raises(ModelCorrupt, match="digest differs"):
            load_with_digest(changed, file="x")
