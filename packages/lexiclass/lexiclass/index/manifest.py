"""What an index is made of. The manifest is replaced last, so it always names whole files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.checksums import FileRecord
from lexiclass.compatibility import check_format
from lexiclass.errors import ModelCorrupt
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.shard import ShardRecord
from lexiclass.publish import write_atomically
from lexiclass.sealed import seal, unseal

#: Name of the manifest in an index directory.
INDEX_FILE = "index.json"

#: Raised when an older reader could not read what a newer writer writes.
#:
#: 3. Shards have a ``stamp``.
INDEX_FORMAT_VERSION = 3


class TermsRecord(BaseModel):
    """A file with terms that follow those of the files before it.

    Attributes:
        name: Of the file.
        num_terms: Terms in it.
        file: Its checksum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^terms-[0-9a-f]{32}\.safetensors$")
    num_terms: int = Field(ge=1)
    file: FileRecord


class TableRecord(BaseModel):
    """The file that says which documents there are, and where.

    Attributes:
        name: Of the file.
        num_documents: Documents in it.
        file: Its checksum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^documents-[0-9a-f]{32}\.safetensors$")
    num_documents: int = Field(ge=0)
    file: FileRecord


class IndexManifest(BaseModel):
    """Description of one generation of an index.

    Attributes:
        format_version: Version of the layout.
        created_at: When it was built.
        generation: Counts the builds of this directory.
        configuration: What the documents were tokenized with.
        tokenizer_versions: Libraries whose major version must be the same to go on from here.
        documents: The table of documents.
        terms: The terms, in the order of their numbers.
        shards: The documents' tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = INDEX_FORMAT_VERSION
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    generation: int = Field(ge=1)
    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    documents: TableRecord
    terms: list[TermsRecord]
    shards: list[ShardRecord]

    @property
    def num_terms(self) -> int:
        """Distinct terms ever seen."""
        return sum(record.num_terms for record in self.terms)

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        files = {self.documents.name: self.documents.file}
        files |= {record.name: record.file for record in self.terms}
        for shard in self.shards:
            files |= shard.files
        return files


def read_index_manifest(directory: Path) -> IndexManifest:
    """Read the manifest of the current generation and check that it is unchanged.

    Raises:
        ModelCorrupt: If it is missing, changed or not understood.
        PluginMismatch: If another version of this library wrote it, which lays it out otherwise.
    """
    try:
        data = (directory / INDEX_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ModelCorrupt(INDEX_FILE, f"missing in {str(directory)!r}") from error
    content = unseal(data, file=INDEX_FILE)
    check_format(content, INDEX_FORMAT_VERSION, file=INDEX_FILE)
    try:
        return IndexManifest.model_validate(content)
    except ValidationError as error:
        raise ModelCorrupt(INDEX_FILE, f"not understood ({error})") from error


def write_index_manifest(directory: Path, manifest: IndexManifest) -> None:
    """Make a generation the current one, in one step."""
    write_atomically(directory / INDEX_FILE, seal(manifest.model_dump(mode="json")))
