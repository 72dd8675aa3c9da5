"""What an index of embeddings is made of. The manifest is replaced last, as that of tokens is."""

from __future__ import annotations

import re

from pydantic import Field

from lexiclass.checksums import FileRecord
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.shard import EmbeddingShardRecord
from lexiclass.index.manifest import GenerationManifest

#: Raised when an older reader could not read what a newer writer writes.
EMBEDDINGS_FORMAT_VERSION = 1


class EmbeddingManifest(GenerationManifest):
    """Description of one generation of an index of embeddings.

    Attributes:
        configuration: What the embeddings were computed with.
        versions: Libraries whose major version must be the same to go on from here.
        dimension: Length of an embedding.
        shards: The embeddings.
    """

    supported = EMBEDDINGS_FORMAT_VERSION
    data_file = re.compile(r"\.?(?:documents|embeddings|index)[-.].+\.(?:safetensors|partial)")

    format_version: int = EMBEDDINGS_FORMAT_VERSION
    configuration: EmbeddingConfiguration
    versions: dict[str, str]
    dimension: int = Field(ge=0, lt=2**31)
    shards: list[EmbeddingShardRecord]

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        return super().files | {record.name: record.file for record in self.shards}
