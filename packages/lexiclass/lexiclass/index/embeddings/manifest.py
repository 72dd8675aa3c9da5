"""What an index of embeddings is made of. The manifest is replaced last, as that of tokens is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.checksums import FileRecord
from lexiclass.compatibility import check_format
from lexiclass.errors import ModelCorrupt
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.shard import EmbeddingShardRecord
from lexiclass.index.manifest import INDEX_FILE, TableRecord
from lexiclass.publish import write_atomically
from lexiclass.sealed import seal, unseal

#: Raised when an older reader could not read what a newer writer writes.
EMBEDDINGS_FORMAT_VERSION = 1


class EmbeddingManifest(BaseModel):
    """Description of one generation of an index of embeddings.

    Attributes:
        format_version: Version of the layout.
        created_at: When it was built.
        generation: Counts how often it was replaced.
        configuration: What the embeddings were computed with.
        versions: Libraries whose major version must be the same to go on from here.
        dimension: Length of an embedding.
        documents: The table of documents.
        shards: The embeddings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = EMBEDDINGS_FORMAT_VERSION
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    generation: int = Field(ge=1)
    configuration: EmbeddingConfiguration
    versions: dict[str, str]
    dimension: int = Field(ge=0)
    documents: TableRecord
    shards: list[EmbeddingShardRecord]

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        shards = {record.name: record.file for record in self.shards}
        return {self.documents.name: self.documents.file, **shards}


def read_embedding_manifest(directory: Path) -> EmbeddingManifest:
    """Read the manifest of the current generation and check that it is unchanged.

    Raises:
        ModelCorrupt: If it is missing, changed or not understood.
        PluginMismatch: If a newer version of this library wrote it.
    """
    try:
        data = (directory / INDEX_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ModelCorrupt(INDEX_FILE, f"missing in {str(directory)!r}") from error
    content = unseal(data, file=INDEX_FILE)
    check_format(content, EMBEDDINGS_FORMAT_VERSION, file=INDEX_FILE)
    try:
        return EmbeddingManifest.model_validate(content)
    except ValidationError as error:
        raise ModelCorrupt(INDEX_FILE, f"not understood ({error})") from error


def write_embedding_manifest(directory: Path, manifest: EmbeddingManifest) -> None:
    """Make a generation the current one, in one step."""
    write_atomically(directory / INDEX_FILE, seal(manifest.model_dump(mode="json")))
