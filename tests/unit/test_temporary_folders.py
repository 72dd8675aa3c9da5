"""Folders of work in progress on a machine whose storage is elsewhere."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lexiclass_worker.artifacts.temporary import own_temporary_directory, temporary_folder
from tests.support.disks import make_deep

# Makes a folder, fills it, says its name and waits.
OWNER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from lexiclass_worker.artifacts.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "model").write_text("weights")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def owner(temporary: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(temporary)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_closed_to_others_and_gone_afterwards(temporary: Path) -> None:
    with temporary_folder() as folder, temporary_folder() as other:
        (folder / "file").write_text("x")
        assert folder.is_relative_to(temporary)
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        assert other.is_dir()
        assert other != folder
    assert list(folder.parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_another_uses_is_not(
    temporary: Path,
) -> None:
    (living, used), (dying, left) = owner(temporary), owner(temporary)
    with living, dying:
        dying.send_signal(signal.SIGKILL)
        dying.wait(60)
        assert (left / "model").read_text() == "weights"
        with temporary_folder():
            assert not left.exists()
            assert (used / "model").read_text() == "weights"
        living.communicate(timeout=60)
    assert not used.exists()


def test_a_link_that_somebody_put_there_is_not_followed(temporary: Path) -> None:
    (temporary / "theirs").mkdir()
    (temporary / "theirs" / "file").write_text("x")
    parent = own_temporary_directory("lexiclass-scratch")
    (parent / "link").symlink_to(temporary / "theirs")
    with temporary_folder():
        pass
    assert (temporary / "theirs" / "file").read_text() == "x"
    parent.rename(temporary / "moved")
    parent.symlink_to(temporary / "theirs")
    with pytest.raises(PermissionError, match="another user"), temporary_folder():
        pass


@pytest.mark.slow
def test_folders_without_end_hold_up_nobody_else(temporary: Path) -> None:
    """A child writes there."""
    left = own_temporary_directory("lexiclass-scratch") / "left"
    make_deep(left, levels=1200)
    with temporary_folder() as folder:
        assert not left.exists()
        make_deep(folder / "model", levels=1200)
    assert not folder.exists()
