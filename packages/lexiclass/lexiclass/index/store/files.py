"""The files of an index: written once under a new name, and never changed."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from lexiclass.atomic_write import sync
from lexiclass.checksums import FileRecord
from lexiclass.memmap import MemmapFile
from lexiclass.serialization import Arrays, write_arrays
from lexiclass.values import Value


class DataFile(Value):
    """What a manifest says of a file."""

    name: str
    file: FileRecord

    @property
    def files(self) -> dict[str, FileRecord]:
        """The file, and what belongs to it."""
        return {self.name: self.file}


class ShardRecord(DataFile):
    """What a manifest says of a shard."""

    @property
    @abstractmethod
    def num_rows(self) -> int:
        """Rows in it, also those that no document has any more."""

    @property
    def weight(self) -> int:
        """What the rows cost together, in the unit of the limits of compaction: one each."""
        return self.num_rows


RecordT_co = TypeVar("RecordT_co", bound=ShardRecord, covariant=True)


class Shard(Generic[RecordT_co]):
    """A shard's files, mapped into memory. Sizes are checked at once, content when it is read."""

    def __init__(self, record: RecordT_co, files: list[MemmapFile]) -> None:
        self.record = record
        self._files = files

    def __len__(self) -> int:
        return self.record.num_rows

    def verify(self) -> None:
        """Check every byte of the files, the first time.

        Raises:
            ModelCorrupt: If one was changed.
        """
        _ = self._verified

    @cached_property
    def _verified(self) -> bool:
        for file in self._files:
            file.verify()
        self._check_content()
        return True

    def _check_content(self) -> None:
        """Check what a checksum cannot tell."""


def new_name(kind: str) -> str:
    """Return a name that no file has, without its suffix."""
    return f"{kind}-{uuid4().hex}"


def write_file(path: Path, arrays: dict[str, Any] | Arrays) -> FileRecord:
    """Write arrays to a new file, flushed to disk; nothing is left of it if that fails."""
    try:
        write_arrays(path, arrays)
        sync(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return FileRecord.of(path)
