"""One file of an index of embeddings: some contents and their rows, written once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lexiclass.checksums import FileRecord
from lexiclass.errors import ModelCorrupt
from lexiclass.index.shard import DIGEST_BYTES
from lexiclass.mapped import MappedFile, Shape
from lexiclass.publish import sync
from lexiclass.serialization import Arrays, write_arrays

_ARRAYS: dict[str, Shape] = {"digests": ((np.uint8,), 2), "embeddings": ((np.float32,), 2)}


class EmbeddingShardRecord(BaseModel):
    """What the manifest says of a shard.

    Attributes:
        name: Of its file.
        num_embeddings: Contents in it, also those that no document has any more.
        file: Checksum of its file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^embeddings-[0-9a-f]{32}\.safetensors$")
    num_embeddings: int = Field(ge=1, lt=2**31)
    file: FileRecord


def write_embeddings(
    directory: Path, digests: NDArray[np.uint8], embeddings: NDArray[np.float32]
) -> EmbeddingShardRecord:
    """Write embeddings as a new shard, flushed to disk.

    Args:
        directory: Of the index.
        digests: (n, 16) digests of the contents.
        embeddings: (n, dimension) their rows.
    """
    path = directory / f"embeddings-{uuid4().hex}.safetensors"
    try:
        write_arrays(path, {"digests": digests, "embeddings": embeddings})
        sync(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return EmbeddingShardRecord(
        name=path.name, num_embeddings=len(embeddings), file=FileRecord.of(path)
    )


class EmbeddingShard:
    """A shard's file, mapped into memory.

    Its size is checked at once, its content when the first embedding is read.

    Raises:
        ModelCorrupt: If the file is missing or not what the record says.
    """

    def __init__(self, directory: Path, record: EmbeddingShardRecord, dimension: int) -> None:
        self.record = record
        self._file = MappedFile.open(directory / record.name, record.file, _ARRAYS)
        found = {name: array.shape for name, array in self._file.arrays.items()}
        expected = {
            "digests": (record.num_embeddings, DIGEST_BYTES),
            "embeddings": (record.num_embeddings, dimension),
        }
        if found != expected:
            raise ModelCorrupt(record.name, "holds other embeddings than the manifest says")

    def verify(self) -> None:
        """Check every byte of the file, the first time.

        Raises:
            ModelCorrupt: If one was changed.
        """
        _ = self._verified

    @property
    def digests(self) -> NDArray[np.uint8]:
        """(n, 16) digests of the contents.

        Raises:
            ModelCorrupt: If the file was changed.
        """
        return self._verified["digests"]

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(n, dimension) their rows.

        Raises:
            ModelCorrupt: If the file was changed.
        """
        return self._verified["embeddings"]

    @cached_property
    def _verified(self) -> Arrays:
        self._file.verify()
        return self._file.arrays
