"""Arrays of a safetensors file that stay in the file: pages are read when they are touched."""

from __future__ import annotations

import hashlib
import json
import mmap
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lexiclass.checksums import FileRecord, verify_sizes
from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import Arrays

# The header of a file we wrote is some hundred bytes; safetensors itself allows 100 MB.
_MAX_HEADER_BYTES = 1_000_000

_DTYPES: dict[str, type[np.generic]] = {
    "U8": np.uint8,
    "U16": np.uint16,
    "I32": np.int32,
    "I64": np.int64,
    "F32": np.float32,
}


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
    content: memoryview
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
        try:
            with path.open("rb") as file:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            arrays = _parse(content)
        except FileNotFoundError as error:
            raise ModelCorrupt(path.name, "missing") from error
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelCorrupt(path.name, f"not a safetensors file ({error!r})") from error
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


def _parse(content: memoryview) -> Arrays:
    size = int.from_bytes(content[:8], "little")
    if size > _MAX_HEADER_BYTES:
        raise ValueError(f"a header of {size} bytes")
    header: dict[str, Any] = json.loads(bytes(content[8 : 8 + size]))
    header.pop("__metadata__", None)
    data = content[8 + size :]
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        if not 0 <= begin <= end <= len(data) or end - begin != prod(shape) * dtype.itemsize:
            raise ValueError(f"{name!r} does not lie inside the file")
        arrays[name] = np.frombuffer(data[begin:end], dtype=dtype).reshape(shape)
    return arrays
