"""What a worker needs of its machine, asked in this process."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.preflight import (
    LONGEST_SOCKET_FOLDER,
    make_socket_folder,
    require_shared_memory,
    require_temporary_folder,
)
from tests.support.sockets import bind


def test_the_longest_folder_for_sockets_is_the_longest_that_works(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        longest = Path(short) / ("d" * (LONGEST_SOCKET_FOLDER - len(short) - 1))
        longest.mkdir()

        bind(longest / "lexi-12345678" / "listener-12345678")
        with pytest.raises(OSError, match="AF_UNIX path too long"):
            bind(longest / "lexi-12345678" / "listener-123456789")


def test_sockets_have_a_folder_where_the_temporary_one_has_a_long_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("d" * 90)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    found = make_socket_folder()

    assert len(os.fsencode(found.parent)) <= LONGEST_SOCKET_FOLDER
    assert found.stat().st_mode & 0o777 == 0o700
    found.rmdir()


def test_a_temporary_folder_that_cannot_be_written_is_told_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(ConfigurationError, match=r"set TMPDIR .*missing") as raised:
        require_temporary_folder()

    assert os.strerror(errno.ENOENT) in str(raised.value)


def test_this_machine_has_what_workers_need() -> None:
    require_shared_memory()

    assert require_temporary_folder().is_dir()
