"""What lies in the place of a file, and is none."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lexiclass import (
    DocumentIndex,
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    read_manifest,
)
from lexiclass.checksums import FileRecord
from lexiclass.regular_files import LARGEST_READ, open_regular, read_regular
from lexiclass.serialization import memmap_arrays, read_json, write_json


@contextmanager
def a_link(path: Path) -> Iterator[None]:
    target = path.with_name("elsewhere")
    target.write_text("{}")
    path.symlink_to(target)
    yield


@contextmanager
def a_fifo(path: Path) -> Iterator[None]:
    os.mkfifo(path)
    yield


@contextmanager
def a_socket(path: Path) -> Iterator[None]:
    # The path of a socket may have 107 bytes: its folder is named by a number.
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        yield


@contextmanager
def a_directory(path: Path) -> Iterator[None]:
    path.mkdir()
    yield


Kind = Callable[[Path], AbstractContextManager[None]]
KINDS: list[Kind] = [a_link, a_fifo, a_socket, a_directory]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "read", [open_regular, read_regular, read_json, memmap_arrays, FileRecord.of]
)
def test_only_regular_files_are_read(
    kind: Kind, read: Callable[[Path], object], tmp_path: Path
) -> None:
    with kind(tmp_path / "file"), pytest.raises(ModelCorrupt, match="not a regular file"):
        read(tmp_path / "file")


@pytest.mark.parametrize("name", ["nothing", "a\0b"])
def test_what_is_not_there_or_cannot_be_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt) as caught:
        read_regular(tmp_path / name)
    assert caught.value.file == name


def test_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ModelCorrupt, match="at most 4"):
        read_regular(tmp_path / "file", 4)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", [a_fifo, a_socket, a_link])
@pytest.mark.parametrize("name", ["manifest.json", "classifier/planes.safetensors", "more"])
def test_a_model_with_one_of_them_is_refused_without_waiting(
    kind: Kind, name: str, tmp_path: Path
) -> None:
    spec = PipelineSpec(feature_extractor_params={"min_df": 1})
    pipeline = Pipeline(spec)
    pipeline.fit(["cats", "dogs", "cats cats", "dogs dogs"], ["a", "b", "a", "b"])
    pipeline.save(tmp_path / "model")
    (tmp_path / "model" / name).unlink(missing_ok=True)

    with kind(tmp_path / "model" / name), pytest.raises(ModelCorrupt):
        Pipeline.load(tmp_path / "model")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", [a_fifo, a_socket, a_link, a_directory])
def test_an_index_with_one_of_them_for_its_manifest_is_refused_without_waiting(
    kind: Kind, tmp_path: Path
) -> None:
    with kind(tmp_path / "index.json"), pytest.raises(ModelCorrupt, match="not a regular file"):
        DocumentIndex.open(tmp_path)


def test_a_model_is_known_by_the_digest_of_its_manifest(tmp_path: Path) -> None:
    for name in ("one", "two"):
        pipeline = Pipeline(PipelineSpec(feature_extractor_params={"min_df": 1}))
        pipeline.fit(["cats", "dogs"], [f"{name} a", f"{name} b"])
        saved = pipeline.save(tmp_path / name)
        assert saved == read_manifest(tmp_path / name)
        assert saved.file_digest == FileRecord.of(tmp_path / name / "manifest.json").sha256
    digest = read_manifest(tmp_path / "one").file_digest

    assert Pipeline.load(tmp_path / "one", digest=digest).classes == ("one a", "one b")
    with pytest.raises(ModelCorrupt, match="another model's"):
        Pipeline.load(tmp_path / "two", digest=digest)


def test_a_file_that_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "terms.json").open("wb") as file:
        file.truncate(LARGEST_READ + 1)
    with pytest.raises(ModelCorrupt, match="at most 1073741824 are read"):
        read_json(tmp_path / "terms.json")
    monkeypatch.setattr("lexiclass.serialization.LARGEST_READ", 10)
    with pytest.raises(InvalidParameters, match="take fewer features"):
        write_json(tmp_path / "other.json", ["a", "word", "more"])


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="has grown"):
        read_regular(Path("/proc/self/maps"), 100)  # says that it has no bytes
