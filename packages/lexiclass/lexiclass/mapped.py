"""Arrays of a safetensors file that stay in the file: pages are read when they are touched."""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

from lexiclass.checksums import FileRecord, verify_sizes
from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import Arrays, map_file


@dataclass(frozen=True, slots=True, eq=False)
class MappedFile:
    """A safetensors file in memory, to be read only.

    The file may be removed meanwhile: its content stays until the last array is gone.

    Attributes:
        name: Its name, for errors.
        record: What it should be; its size was checked.
        content: Its bytes.
        arrays: Its arrays.
    """

    name: str
    record: FileRecord
    content: mmap.mmap
    arrays: Arrays

    @classmethod
    def open(cls, path: Path, record: FileRecord, dimensions: dict[str, int]) -> MappedFile:
        """Map a file.

        Args:
            path: The file.
            record: What it should be.
            dimensions: Number of dimensions of every array that must be there.

        Raises:
            ModelCorrupt: If it is missing, has another size, or holds other arrays.
        """
        verify_sizes(path.parent, {path.name: record})
        content, arrays = map_file(path)
        found = {name: array.ndim for name, array in arrays.items()}
        if found != dimensions:
            raise ModelCorrupt(path.name, f"holds {found}, expected {dimensions}")
        return cls(path.name, record, content, arrays)

    def verify(self) -> None:
        """Check every byte of what is mapped.

        Raises:
            ModelCorrupt: If one was changed.
        """
        if hashlib.sha256(self.content).hexdigest() != self.record.sha256:
            raise ModelCorrupt(self.name, "its SHA-256 differs: the content was changed")
