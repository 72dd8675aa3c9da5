"""Folders in the temporary directory: closed to others, and gone when their process is."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lexiclass_worker.artifacts.foreign_folders import remove_folder

_SCRATCH: Final = "lexiclass-scratch"


def own_temporary_directory(name: str) -> Path:
    """A folder of this user in the temporary directory, to stay there.

    Raises:
        PermissionError: If it belongs to somebody else.
    """
    directory = Path(tempfile.gettempdir()) / f"{name}-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    # Anybody may have made a folder, or a link, of this name in a directory open to all.
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to another user")
    return directory


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder, removed at the end; those that killed processes have left are removed as well.

    Raises:
        OSError: If none can be made.
    """
    parent = own_temporary_directory(_SCRATCH)
    _remove_left(parent)
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent))
        # The kernel takes the lock back from whoever dies.
        with _locked(folder) as is_ours:
            if is_ours:
                try:
                    yield folder
                finally:
                    remove_folder(folder)
                return
        # Another process took it for left before it was locked.


def _remove_left(parent: Path) -> None:
    for folder in parent.iterdir():
        with _locked(folder) as is_ours:
            if is_ours:
                remove_folder(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder; whether it is there and nobody else has."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    try:
        is_ours = False
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = folder.is_dir()
        yield is_ours
    finally:
        os.close(descriptor)
