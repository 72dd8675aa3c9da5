"""Compressed corpora: .gz and .zip, unpacked within bounds."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Generic, Self, TypeVar, cast

from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceFile
from lexiclass.errors import InvalidParameters

MemberT = TypeVar("MemberT")

# Text shrinks to a fifth or, where it repeats itself, to a fiftieth. What shrinks more is meant to
# fill a disk.
_MAX_RATIO: Final = 200
_SMALL_BYTES: Final = 64 * 2**20
#: Of an archive; so many names are in memory.
MOST_MEMBERS: Final = 2_000_000
_CHUNK: Final = 2**20
# Parts of a path: folders are made and removed one in the other.
_DEEPEST: Final = 101
# What macOS adds to an archive.
_RESOURCE_FORKS: Final = "__MACOSX"
#: What Python's modules raise of an archive that is damaged, besides OSError.
DAMAGES: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OverflowError, EOFError,
    struct.error, zlib.error, lzma.LZMAError, tarfile.TarError,
)  # fmt: skip


def gunzipped(file: SourceFile) -> SourceFile:
    """Return the file inside a .gz file; it is unpacked while it is read."""

    def open_unpacked() -> BinaryIO:
        packed = file.open()
        return bounded(gzip.GzipFile(fileobj=packed), limit_of(packed), file.name, packed)

    return SourceFile(_without_gz(file.name), open_unpacked)


class ArchiveCorpus(ABC, Generic[MemberT]):
    """The files of an archive. A context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._opened = ExitStack()
        self._members: list[MemberT] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive."""
        self._opened.close()

    @property
    def only_file(self) -> SourceFile | None:
        """The file of an archive that holds one; None of one that holds a folder of them."""
        if len(self._members) != 1 or self._refusal(self._members[0]):
            return None
        (member,) = self._members
        name = f"{self._name}:{_shown_member(self._parts(member)[-1])}"
        return SourceFile(name, lambda: self._content(member))

    def unpack(self, folder: Path) -> Iterator[Refusal]:
        """Unpack all files into an empty folder.

        Yields:
            Members that are no files of the archive's own, or can't be files here.

        Raises:
            InvalidParameters: If it is damaged, or unpacks to too much.
            OSError: If they can't be written.
        """
        for member in self._members:
            reason = self._refusal(member)
            if not reason:
                with self._content(member) as source:
                    reason = _unpack_file(source, folder, self._parts(member))
                if not reason:
                    self._take_in(folder.joinpath(*self._parts(member)))
            if reason:
                yield Refusal(self._where(member), reason)

    def _where(self, member: MemberT) -> str:
        return f"{self._name}:{_shown_member(self._path(member))}"

    def _take_in(self, file: Path) -> None:
        """Note what a file has taken."""

    @abstractmethod
    def _path(self, member: MemberT) -> str:
        """A member's name, as it is."""

    @abstractmethod
    def _parts(self, member: MemberT) -> tuple[str, ...]:
        """The parts of a member's path."""

    @abstractmethod
    def _refusal(self, member: MemberT) -> str:
        """Why a member is no file inside the archive, or nothing."""

    @abstractmethod
    def _content(self, member: MemberT) -> BinaryIO:
        """What a member holds, unpacked while it is read."""


def _shown_member(name: str) -> str:
    """A name of a member that can be shown and stored."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def is_hidden(parts: Sequence[str]) -> bool:
    """Whether a member is not meant to be seen, or was added by macOS."""
    hidden = any(part.startswith(".") and part not in {".", ".."} for part in parts)
    return hidden or _RESOURCE_FORKS in parts[:1]


def leads_out(parts: Sequence[str]) -> str:
    """Why the path of a member is none inside the archive, or nothing."""
    if not parts:
        return "has no name"
    if parts[0] == "/" or ".." in parts or parts[0].endswith(":"):
        return "its path leads out of the archive"
    if any("\0" in part for part in parts):
        return "its name has a NUL character"
    if len(parts) > _DEEPEST:
        return f"lies in more than {_DEEPEST - 1} folders, one in the other"
    return ""


def _unpack_file(source: BinaryIO, folder: Path, parts: Sequence[str]) -> str:
    """Write a member into a folder. Returns why it can't be a file here, or nothing."""
    file = folder.joinpath(*parts)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        target = file.open("xb")
    except (FileExistsError, NotADirectoryError):
        return "there is another file of that name in the archive"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return "its name is too long"
    with target:
        shutil.copyfileobj(source, target, _CHUNK)
    return ""


def _without_gz(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name


def limit_of(packed: BinaryIO) -> int:
    """Bytes that an archive may unpack to."""
    size = packed.seek(0, os.SEEK_END)
    packed.seek(0)
    return max(_SMALL_BYTES, _MAX_RATIO * size)


def is_of_the_disk(error: Exception) -> bool:
    """Whether it is the disk that can't be read: EINVAL is of a place before the file's start."""
    return isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}


def damaged(name: str, error: Exception) -> InvalidParameters:
    """The error that says how an archive is damaged."""
    reason = str(error) or "it ends too early"
    return InvalidParameters(f"{name}: the archive is damaged: {reason}")


def bounded(source: gzip.GzipFile | IO[bytes], limit: int, name: str, *owned: BinaryIO) -> BinaryIO:
    """What is unpacked, up to a limit; InvalidParameters where it is damaged or goes beyond."""
    raw = _Bounded(cast("BinaryIO", source), limit, name, owned)
    return cast("BinaryIO", io.BufferedReader(raw, _CHUNK))


class _Bounded(io.RawIOBase):
    """What is unpacked, up to a limit."""

    def __init__(
        self, source: BinaryIO, limit: int, name: str, owned: tuple[BinaryIO, ...]
    ) -> None:
        self._source = source
        self._limit = limit
        self._left = limit
        self._name = name
        self._owned = owned

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            data = self._source.read(len(buffer))
        except (*DAMAGES, OSError) as error:
            if isinstance(error, InvalidParameters) or is_of_the_disk(error):
                raise
            raise damaged(self._name, error) from error
        self._left -= len(data)
        if self._left < 0:
            raise InvalidParameters(
                f"{self._name}: unpacks to more than {self._limit:,} bytes, {_MAX_RATIO} times its "
                "size; unpack it first"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
            for file in self._owned:
                file.close()
        super().close()
