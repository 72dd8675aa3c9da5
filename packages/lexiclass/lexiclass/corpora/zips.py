"""Corpora in a zip archive."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from lexiclass.corpora.archives import (
    DAMAGES,
    MOST_MEMBERS,
    ArchiveCorpus,
    bounded,
    damaged,
    is_hidden,
    is_of_the_disk,
    leads_out,
    limit_of,
)
from lexiclass.corpora.sources import SourceFile
from lexiclass.corpora.zip_names import restore_names
from lexiclass.errors import InvalidParameters

_ENCRYPTED: Final = 0x1  # PKWARE's APPNOTE, 4.4.4


class ZipCorpus(ArchiveCorpus[zipfile.ZipInfo]):
    """The files of a zip archive. A context manager.

    Raises:
        InvalidParameters: If it is damaged, or needs a password.
    """

    def __init__(self, file: SourceFile) -> None:
        super().__init__(file.name)
        packed = self._opened.enter_context(file.open())
        self._left = limit_of(packed)
        try:
            self._archive = self._opened.enter_context(zipfile.ZipFile(packed))
        except (*DAMAGES, OSError) as error:
            self.close()
            raise damaged(self._name, error) from error
        members = self._archive.infolist()
        if len(members) > MOST_MEMBERS:
            self.close()
            raise InvalidParameters(f"{file.name}: holds more than {MOST_MEMBERS:,} files")
        restore_names(members)
        self._members = [member for member in members if self._is_wanted(member)]
        if any(member.flag_bits & _ENCRYPTED for member in self._members):
            self.close()
            raise InvalidParameters(f"{file.name}: needs a password; unpack it first")

    def _is_wanted(self, member: zipfile.ZipInfo) -> bool:
        is_folder = member.filename.endswith(("/", "\\"))
        return not (is_folder or is_hidden(self._parts(member)))

    def _path(self, member: zipfile.ZipInfo) -> str:
        return member.filename

    def _parts(self, member: zipfile.ZipInfo) -> tuple[str, ...]:
        # Some programs of Windows write its own separators.
        return PurePosixPath(member.filename.replace("\\", "/")).parts

    def _refusal(self, member: zipfile.ZipInfo) -> str:
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        return leads_out(self._parts(member)) or ("a link" if is_link else "")

    def _take_in(self, file: Path) -> None:
        self._left -= file.stat().st_size

    def _content(self, member: zipfile.ZipInfo) -> BinaryIO:
        where = self._where(member)
        try:
            opened = self._archive.open(member)
        except (*DAMAGES, OSError) as error:
            if is_of_the_disk(error):
                raise
            raise damaged(where, error) from error
        return bounded(opened, self._left, where)
