"""What an index is made of. The manifest is replaced last, so it always names whole files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.checksums import FileRecord
from lexiclass.compatibility import check_format
from lexiclass.errors import ModelCorrupt
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.publish import write_atomically
from lexiclass.sealed import seal, unseal

#: Name of the manifest in an index directory.
INDEX_FILE = "index.json"

#: Raised when an older reader could not read what a newer writer writes.
INDEX_FORMAT_VERSION = 1


class IndexManifest(BaseModel):
    """Description of one generation of an index.

    Attributes:
        format_version: Version of the layout.
        created_at: When it was built.
        generation: Counts the builds of this directory.
        configuration: What the documents were tokenized with.
        tokenizer_versions: Libraries whose major version must be the same to go on from here.
        num_documents: Number of documents.
        num_terms: Number of distinct terms ever seen.
        num_tokens: Number of tokens.
        documents_file: Ids, digests and tokens, as safetensors.
        terms_file: The terms, as JSON.
        files: Both, with their checksums.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = INDEX_FORMAT_VERSION
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    generation: int = Field(ge=1)
    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    num_documents: int = Field(ge=0)
    num_terms: int = Field(ge=0)
    num_tokens: int = Field(ge=0)
    documents_file: str = Field(pattern=r"^documents\.[0-9]+-[0-9a-f]+\.safetensors$")
    terms_file: str = Field(pattern=r"^terms\.[0-9]+-[0-9a-f]+\.json$")
    files: dict[str, FileRecord]


def read_index_manifest(directory: Path) -> IndexManifest:
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
    check_format(content, INDEX_FORMAT_VERSION, file=INDEX_FILE)
    try:
        manifest = IndexManifest.model_validate(content)
    except ValidationError as error:
        raise ModelCorrupt(INDEX_FILE, f"not understood ({error})") from error
    if set(manifest.files) != {manifest.documents_file, manifest.terms_file}:
        raise ModelCorrupt(INDEX_FILE, "does not describe the files it names")
    return manifest


def write_index_manifest(directory: Path, manifest: IndexManifest) -> None:
    """Make a generation the current one, in one step."""
    write_atomically(directory / INDEX_FILE, seal(manifest.model_dump(mode="json")))
