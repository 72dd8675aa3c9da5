"""Loaded models that are kept."""

import gc
import os
import shutil
from pathlib import Path

import pytest

from lexiclass import ModelCorrupt, Pipeline, PipelineSpec, read_manifest
from lexiclass_worker.ml.loaded_models import ModelCache, loaded_size

TEXTS = ["cats and dogs", "dogs and cats", "cars and trains", "trains and cars"]
BIG = 2**30


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models that differ in the names of their classes."""
    directory = tmp_path_factory.mktemp("models")
    for name in ("a", "b", "c"):
        pipeline = Pipeline(
            PipelineSpec(
                tokenizer="icu",
                feature_extractor="bow",
                classifier="svm",
                feature_extractor_params={"min_df": 1},
            )
        )
        pipeline.fit(TEXTS, [f"{name}1", f"{name}1", f"{name}2", f"{name}2"])
        pipeline.save(directory / name)
    return directory


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    """A model of this test's own."""
    return copy(models / "a", tmp_path / "model")


def copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


def load(cache: ModelCache, directory: Path) -> Pipeline:
    return cache.load(directory, read_manifest(directory), Path("/nowhere"))


def classes(pipeline: Pipeline) -> list[str]:
    predictions = pipeline.predict(TEXTS)
    return [pipeline.classes[code] for code in predictions.codes]


def test_a_model_is_loaded_once(model: Path) -> None:
    cache = ModelCache(BIG)

    assert load(cache, model) is load(cache, model)
    assert cache.lookups == ["miss", "hit"]


def test_copies_of_a_model_are_one_model(model: Path, tmp_path: Path) -> None:
    """An object store's files are copied to another folder for every task, and removed after it."""
    cache = ModelCache(BIG)
    first = load(cache, copy(model, tmp_path / "first"))
    shutil.rmtree(tmp_path / "first")

    second = load(cache, copy(model, tmp_path / "second"))

    assert second is first
    assert cache.lookups == ["miss", "hit"]
    assert classes(second) == ["a1", "a1", "a2", "a2"]


def test_a_model_published_in_the_place_of_another_is_loaded(
    models: Path, model: Path, tmp_path: Path
) -> None:
    cache = ModelCache(BIG)
    old = load(cache, model)
    copy(models / "b", tmp_path / "new")
    model.rename(tmp_path / "old")
    (tmp_path / "new").rename(model)

    assert classes(load(cache, model)) == ["b1", "b1", "b2", "b2"]
    assert cache.lookups == ["miss", "miss"]
    # What is mapped from the old files stays what it was.
    shutil.rmtree(tmp_path / "old")
    assert classes(old) == ["a1", "a1", "a2", "a2"]


@pytest.mark.parametrize("name", ["classifier/planes.safetensors", "classifier/classes.json"])
def test_a_file_that_was_written_to_is_verified_again(model: Path, name: str) -> None:
    cache = ModelCache(BIG)
    load(cache, model)
    content = bytearray((model / name).read_bytes())
    content[-1] ^= 1
    (model / name).write_bytes(content)

    with pytest.raises(ModelCorrupt, match=name.rpartition("/")[2]):
        load(cache, model)

    # And stays refused.
    with pytest.raises(ModelCorrupt):
        load(cache, model)


def test_a_file_that_was_written_to_in_place_with_its_time_set_back_is_verified_again(
    model: Path,
) -> None:
    cache = ModelCache(BIG)
    load(cache, model)
    path = model / "classifier" / "planes.safetensors"
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\0\x40")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(ModelCorrupt, match=r"planes\.safetensors"):
        load(cache, model)


def test_a_file_that_was_touched_is_loaded_again(model: Path) -> None:
    cache = ModelCache(BIG)
    load(cache, model)
    os.utime(model / "classifier" / "classes.json")

    assert classes(load(cache, model)) == ["a1", "a1", "a2", "a2"]
    assert cache.lookups == ["miss", "miss"]


def test_the_longest_unused_model_is_given_up(models: Path) -> None:
    sizes = [loaded_size(read_manifest(models / name)) for name in "abc"]
    cache = ModelCache(max(sizes) * 2)

    for name in "abacab":
        load(cache, models / name)

    # c takes the place of b, b that of c.
    assert cache.lookups == ["miss", "miss", "hit", "miss", "hit", "miss"]


def test_a_model_larger_than_the_cache_is_loaded_each_time(model: Path) -> None:
    cache = ModelCache(1)

    assert load(cache, model) is not load(cache, model)
    assert cache.lookups == ["miss", "miss"]


def test_without_a_cache_nothing_is_kept_or_counted(model: Path) -> None:
    cache = ModelCache(0)

    assert load(cache, model) is not load(cache, model)
    assert cache.lookups == []


def test_pretrained_folders_are_told_apart(model: Path) -> None:
    cache, manifest = ModelCache(BIG), read_manifest(model)

    first = cache.load(model, manifest, Path("/one"))

    assert cache.load(model, manifest, Path("/other")) is not first


def maps_of(directory: Path) -> list[str]:
    """What this process maps of the files below a folder, which the disk has to keep for it."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines()
            if str(directory) in line]  # fmt: skip


def test_a_version_that_was_removed_is_given_up_and_its_files_with_it(
    models: Path, tmp_path: Path
) -> None:
    cache = ModelCache(BIG)
    first = copy(models / "a", tmp_path / "models" / "3" / "v1")
    second = copy(models / "b", tmp_path / "models" / "3" / "v2")
    load(cache, first)
    load(cache, second)
    assert maps_of(first)

    shutil.rmtree(first)
    load(cache, second)
    gc.collect()

    assert maps_of(first) == []
    assert maps_of(second)
    assert cache.lookups == ["miss", "miss", "hit"]
