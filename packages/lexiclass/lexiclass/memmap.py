"""Arrays of a safetensors file that stay in the file: pages are read when they are touched."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexiclass.checksums import FileRecord, verify_sizes
from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import Arrays, memmap_arrays

#: The types an array may have, and its number of dimensions.
Shape = tuple[tuple[type[np.generic], ...], int]


@dataclass(frozen=True, slots=True, eq=False)
class MemmapFile:
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
    def open(cls, path: Path, record: FileRecord, expected: Mapping[str, Shape]) -> MemmapFile:
        """Map a file that is as its record says and holds the arrays expected, each of them.

        Raises:
            ModelCorrupt: If it is missing, has another size, or holds other arrays.
        """
        verify_sizes(path.parent, {path.name: record})
        content, arrays = memmap_arrays(path)
        if arrays.keys() != expected.keys():
            raise ModelCorrupt(path.name, f"holds {sorted(arrays)}, expected {sorted(expected)}")
        for name, (types, ndim) in expected.items():
            found = arrays[name]
            if found.dtype.type not in types or found.ndim != ndim:
                wanted = " or ".join(each.__name__ for each in types)
                raise ModelCorrupt(
                    path.name,
                    f"{name!r} is {found.dtype} in {found.ndim} dimensions, expected {wanted} "
                    f"in {ndim}",
                )
        return cls(path.name, record, content, arrays)

    def verify(self) -> None:
        """Check every byte of what is mapped.

        Raises:
            ModelCorrupt: If one was changed.
        """
        if hashlib.sha256(self.content).hexdigest() != self.record.sha256:
            raise ModelCorrupt(self.name, "its SHA-256 differs: the content was changed")
