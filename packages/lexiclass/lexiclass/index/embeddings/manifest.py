"""What an index of embeddings is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.shard import EmbeddingShardRecord
from lexiclass.index.store.manifest import GenerationManifest

#: Raised when an older reader could not read what a newer writer writes.
EMBEDDINGS_FORMAT_VERSION = 1


class EmbeddingManifest(GenerationManifest):
    """Description of one generation of an index of embeddings."""

    supported = EMBEDDINGS_FORMAT_VERSION
    data_file = re.compile(r"\.?(?:documents|embeddings|index)[-.].+\.(?:safetensors|partial)")

    format_version: int = EMBEDDINGS_FORMAT_VERSION
    configuration: EmbeddingConfiguration
    versions: dict[str, str]
    dimension: int = Field(ge=0, lt=2**31)
    shards: list[EmbeddingShardRecord]

    @property
    def libraries(self) -> Mapping[str, str]:
        """See :class:`~lexiclass.index.store.manifest.GenerationManifest`."""
        return self.versions
