"""A generation of an index in a folder of this machine: a manifest, and files that never change."""

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from lexiclass_core.folders import Folder

INDEX_FILE: Final = "index.json"
"""Name of an index' manifest, as in :mod:`lexiclass.index.store.manifest`."""

LARGEST_MANIFEST_BYTES: Final = 64 * 2**20
"""A longer manifest is none, as on a disk."""


class Checksum(NamedTuple):
    """What one file of an index is.

    Attributes:
        size: In bytes.
        sha256: Of its content, in hexadecimal.
    """

    size: int
    sha256: str


Files = Mapping[str, Checksum]
"""What a manifest says of each file, by name."""


def has_file(folder: Path, name: str, record: Checksum) -> bool:
    """Whether a file is there, of the size that it should have."""
    try:
        return (folder / name).lstat().st_size == record.size
    except FileNotFoundError:
        return False


def names_in(directory: Path) -> set[str]:
    """The files of a generation, beside its manifest."""
    return {path.name for path in directory.iterdir()} - {INDEX_FILE}


def link(source: Path, target: Path, names: Iterable[str]) -> None:
    """Bring a generation to another folder; its files don't change, so both can share them."""
    for name in names:
        with suppress(FileExistsError):
            os.link(source / name, target / name, follow_symlinks=False)
    with Folder.open(source) as folder, folder.open_file(INDEX_FILE) as file:
        content = file.read(LARGEST_MANIFEST_BYTES + 1)
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise OSError(errno.EFBIG, "longer than any manifest", str(source / INDEX_FILE))
    replace_file(target / INDEX_FILE, content)


def holds(path: Path, content: bytes) -> bool:
    """Whether a file holds this and nothing else; no more of it is read: a child has written it."""
    try:
        with Folder.open(path.parent) as folder, folder.open_file(path.name) as file:
            return file.read(len(content) + 1) == content
    except OSError:
        return False


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
