"""fsspec's file systems: which have folders, and what their errors leave out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

# All others are object stores, or may be. Asked for a folder those may make a bucket, and need
# rights on the whole of one to find out that they need not.
_WITH_FOLDERS: Final = frozenset(
    {
        *("file", "local", "memory", "sftp", "ssh", "ftp", "smb"),
        *("hdfs", "arrow_hdfs", "webhdfs", "webHDFS", "dbfs"),
    }
)


def make_folder(file_system: Any, path: str) -> None:
    """Make a folder and those above it, where there are such things as folders."""
    if has_folders(file_system):
        file_system.makedirs(path, exist_ok=True)


def has_folders(file_system: Any) -> bool:
    """Whether files lie in folders that have to be made."""
    protocol = file_system.protocol
    return not _WITH_FOLDERS.isdisjoint([protocol] if isinstance(protocol, str) else protocol)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Note in an error which object it is about, which object stores leave out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and not hasattr(error, "__notes__"):
            error.add_note(path)
        raise
