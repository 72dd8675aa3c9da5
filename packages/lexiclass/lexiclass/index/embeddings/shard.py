"""One file of an index of embeddings: some contents and their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lexiclass.errors import ModelCorrupt
from lexiclass.index.store.digests import DIGEST_BYTES
from lexiclass.index.store.files import Shard, ShardRecord, new_name, write_file
from lexiclass.memmap import MemmapFile, Shape

_ARRAYS: dict[str, Shape] = {"digests": ((np.uint8,), 2), "embeddings": ((np.float32,), 2)}


class EmbeddingShardRecord(ShardRecord):
    """What the manifest says of a shard."""

    name: str = Field(pattern=r"^embeddings-[0-9a-f]{32}\.safetensors$")
    num_embeddings: int = Field(ge=1, lt=2**31)

    @property
    def num_rows(self) -> int:
        """Contents in it."""
        return self.num_embeddings


def write_embeddings(
    directory: Path, digests: NDArray[np.uint8], embeddings: NDArray[np.float32]
) -> EmbeddingShardRecord:
    """Write embeddings as a new shard.

    Args:
        directory: Of the index.
        digests: (n, 16) digests of the contents.
        embeddings: (n, dimension) their rows.
    """
    name = f"{new_name('embeddings')}.safetensors"
    file = write_file(directory / name, {"digests": digests, "embeddings": embeddings})
    return EmbeddingShardRecord(name=name, num_embeddings=len(embeddings), file=file)


class EmbeddingShard(Shard[EmbeddingShardRecord]):
    """A shard of embeddings.

    Raises:
        ModelCorrupt: If the file is missing or not what the record says.
    """

    def __init__(self, directory: Path, record: EmbeddingShardRecord, dimension: int) -> None:
        file = MemmapFile.open(directory / record.name, record.file, _ARRAYS)
        super().__init__(record, [file])
        self.dimension = dimension
        self._arrays = file.arrays
        found = {name: array.shape for name, array in self._arrays.items()}
        expected = {
            "digests": (record.num_embeddings, DIGEST_BYTES),
            "embeddings": (record.num_embeddings, dimension),
        }
        if found != expected:
            raise ModelCorrupt(record.name, "holds other embeddings than the manifest says")

    @property
    def digests(self) -> NDArray[np.uint8]:
        """(n, 16) digests of the contents.

        Raises:
            ModelCorrupt: If the file was changed.
        """
        self.verify()
        return self._arrays["digests"]

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(n, dimension) their rows.

        Raises:
            ModelCorrupt: If the file was changed.
        """
        self.verify()
        return self._arrays["embeddings"]
