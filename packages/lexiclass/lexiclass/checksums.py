"""What files should be, and whether they still are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from lexiclass.errors import ModelCorrupt
from lexiclass.regular_files import open_regular
from lexiclass.values import Value


class FileRecord(Value):
    """What one file is.

    Attributes:
        sha256: SHA-256 of the content, in hexadecimal.
        size: Size in bytes.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, lt=2**62)

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Describe a file.

        Raises:
            ModelCorrupt: If it is missing, or no regular file.
        """
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(sha256=digest, size=os.fstat(file.fileno()).st_size)


#: See :func:`file_identity`.
FileIdentity: TypeAlias = tuple[int, int, int, int, int]


def file_identity(status: os.stat_result) -> FileIdentity:
    """Return what differs once a file was written to or replaced, as far as can be told.

    Whoever writes to a file can set its time of modification back, but not that of its change.
    """
    return (
        status.st_ino,
        status.st_dev,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def file_stamp(path: Path) -> int:
    """Return a number that differs once a file was written to, without reading it.

    Raises:
        ModelCorrupt: If it is missing.
    """
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise ModelCorrupt(path.name, "missing") from error
    # Of integers, so it is the same in every process.
    return hash(file_identity(status))


def _inside(name: str) -> str:
    parts = name.split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or "\0" in name:
        raise ValueError(f"{name!r} names no file of the directory")
    return name


#: Of a file below a directory, relative to it, with forward slashes.
FileName = Annotated[str, AfterValidator(_inside)]


_MOST_LEVELS = 100


def list_files(directory: Path) -> list[str]:
    """Return all files below a directory, relative to it, with forward slashes, sorted.

    Raises:
        ModelCorrupt: If something below it is neither a file nor a directory: a symbolic link
            could lead out of it.
    """
    found = []
    # A walk without end to its levels would end in a RecursionError.
    deepest = len(directory.parts) + _MOST_LEVELS
    for root, directories, files in os.walk(directory):
        if len(Path(root).parts) > deepest:
            raise ModelCorrupt(directory.name, f"has more than {_MOST_LEVELS} levels of folders")
        for name in (*directories, *files):
            path = Path(root, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise ModelCorrupt(
                    path.relative_to(directory).as_posix(), "neither a file nor a directory"
                )
        found += [Path(root, name).relative_to(directory).as_posix() for name in files]
    return sorted(found)


def record_files(directory: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """Describe files of a directory."""
    return {name: FileRecord.of(directory / name) for name in names}


def verify_sizes(directory: Path, files: Mapping[str, FileRecord]) -> None:
    """Check that files are there and have their size. Reads no content.

    Raises:
        ModelCorrupt: Naming the first file that is not as described.
    """
    for name, record in sorted(files.items()):
        try:
            status = (directory / name).lstat()
        except FileNotFoundError as error:
            raise ModelCorrupt(name, "missing") from error
        if not stat.S_ISREG(status.st_mode):
            raise ModelCorrupt(name, "not a file")
        if status.st_size != record.size:
            raise ModelCorrupt(name, f"has {status.st_size} bytes, expected {record.size}")


def verify_content(directory: Path, files: Mapping[str, FileRecord]) -> None:
    """Check that files are there and unchanged.

    Raises:
        ModelCorrupt: Naming the first file that is not as described.
    """
    verify_sizes(directory, files)
    for name, record in sorted(files.items()):
        if FileRecord.of(directory / name).sha256 != record.sha256:
            raise ModelCorrupt(name, "its SHA-256 differs: the content was changed")
