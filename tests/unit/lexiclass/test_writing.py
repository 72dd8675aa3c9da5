"""What the system refuses to write is an OSError with a path, whichever library wrote it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lexiclass import Document, ModelCorrupt
from lexiclass.index import build_index
from lexiclass.manifest import text_digest
from lexiclass.serialization import write_arrays, write_json
from lexiclass.writing import writing
from tests.support.disks import free_bytes, leave_free, mounted_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", size="4m") as disk:
        yield disk


def test_arrays_that_do_not_fit_are_told_with_the_file(disk: Path) -> None:
    leave_free(disk, 8_192)
    path = disk / "a.safetensors"

    with pytest.raises(OSError, match="No space left on device") as raised:
        write_arrays(path, {"a": np.zeros(100_000)})

    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))


def test_a_text_that_does_not_fit_is_told_with_the_file(disk: Path) -> None:
    leave_free(disk, 0)
    path = disk / "a.json"

    with pytest.raises(OSError, match="No space left on device") as raised:
        write_json(path, ["x" * 10_000])

    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))


@pytest.mark.parametrize("free", [8_192, 65_536, 262_144, 409_600])
def test_an_index_that_does_not_fit_leaves_the_room_there_was(disk: Path, free: int) -> None:
    texts = [" ".join(f"{word}{n}" for word in range(100)) for n in range(300)]
    documents = [Document(n, text, text_digest(text), "utf-8") for n, text in enumerate(texts)]
    index = disk / "index"
    build_index(index, documents[:20])
    leave_free(disk, free)
    before = free_bytes(disk)
    there = {path: path.stat().st_size for path in index.iterdir()}

    with pytest.raises(OSError, match="No space left on device") as raised:
        build_index(index, documents)

    assert raised.value.filename is not None
    assert free_bytes(disk) == before
    assert {path: path.stat().st_size for path in index.iterdir()} == there
    (disk / "ballast").unlink()
    assert build_index(index, documents).unchanged == 20


class _NativeError(Exception):
    pass


TOLD = [
    (_NativeError("I/O error: Disk quota exceeded (os error 122)"), errno.EDQUOT),
    (RuntimeError("[LogFatal] cannot write: No space left on device"), errno.ENOSPC),
    (_NativeError(f"failed: {os.strerror(errno.EROFS)}"), errno.EROFS),
]


@pytest.mark.parametrize(("error", "number"), TOLD, ids=lambda case: str(case)[:30])
def test_what_a_library_tells_of_the_system_is_the_systems_error(
    tmp_path: Path, error: Exception, number: int
) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as raised, writing(tmp_path):
        raise error

    assert (raised.value.errno, raised.value.filename) == (number, str(tmp_path))


def test_a_library_that_tells_nothing_is_believed_only_if_the_disk_is_full(disk: Path) -> None:
    with pytest.raises(_NativeError), writing(disk / "a"):
        raise _NativeError("write failed")

    leave_free(disk, 0)
    with pytest.raises(OSError, match="No space left on device"), writing(disk / "a"):
        raise _NativeError("write failed")
    assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_an_error_of_this_library_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt), writing(tmp_path):
        raise ModelCorrupt("a.json", "No space left on device")
