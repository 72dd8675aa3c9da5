"""What a worker needs of its machine, asked in this process."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.preflight import (
    require_shared_memory,
    require_temporary_folder,
)


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
