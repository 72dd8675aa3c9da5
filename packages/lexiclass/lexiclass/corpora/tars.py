"""Corpora in a tar archive: its regular files, within the bounds of what it was compressed to."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, Final, cast

from lexiclass.corpora.archives import (
    DAMAGES,
    MOST_MEMBERS,
    ArchiveCorpus,
    bounded,
    damaged,
    is_hidden,
    leads_out,
)
from lexiclass.corpora.sources import SourceFile, on_disk
from lexiclass.errors import InvalidParameters

# A name or an attribute of a member is read at once.
_MOST_AT_ONCE: Final = 64 * 2**20


class TarCorpus(ArchiveCorpus[tarfile.TarInfo]):
    """The files of a tar archive that is unpacked if it was compressed. A context manager.

    Raises:
        InvalidParameters: If it is damaged.
    """

    def __init__(self, file: SourceFile) -> None:
        super().__init__(file.name)
        try:
            self._file = _Steady(self._opened.enter_context(on_disk(file)), file.name)
            steady = cast("BinaryIO", self._file)
            self._archive = self._opened.enter_context(
                tarfile.TarFile(fileobj=steady, mode="r", encoding="utf-8")
            )
            self._members = list(self._wanted())
        except DAMAGES as error:
            self.close()
            raise damaged(file.name, error) from error
        except BaseException:
            self.close()
            raise

    def _wanted(self) -> Iterator[tarfile.TarInfo]:
        for number, member in enumerate(self._archive):
            if number == MOST_MEMBERS:
                raise InvalidParameters(f"{self._name}: holds more than {MOST_MEMBERS:,} files")
            if not member.isdir() and not is_hidden(self._parts(member)):
                yield member
        # A header that is none ends the list as the blank one does that stands at its end.
        self._file.seek(self._archive.offset)
        if self._file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("a header of it is none")

    def _content(self, member: tarfile.TarInfo) -> BinaryIO:
        opened = self._archive.extractfile(member)
        assert opened is not None  # noqa: S101 - it is a regular file
        return bounded(opened, member.size, self._where(member))

    def _path(self, member: tarfile.TarInfo) -> str:
        return member.name

    def _parts(self, member: tarfile.TarInfo) -> tuple[str, ...]:
        return PurePosixPath(member.name).parts

    def _refusal(self, member: tarfile.TarInfo) -> str:
        if member.issym() or member.islnk():
            return "a link"
        if not member.isreg():
            return "no file but a pipe or a device"
        if member.issparse():
            return "a sparse file, which can be of any size; unpack the archive first"
        return leads_out(self._parts(member))


class _Steady:
    """A file no large part of which is read at once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int) -> bytes:
        if size > _MOST_AT_ONCE:
            raise damaged(self._name, ValueError(f"a header of {size:,} bytes"))
        return self._file.read(size)
