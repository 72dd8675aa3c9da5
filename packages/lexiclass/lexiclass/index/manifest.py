"""What an index is made of. The manifest is replaced last, so it always names whole files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from lexiclass.checksums import FileRecord
from lexiclass.compatibility import check_format
from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.shard import ShardRecord
from lexiclass.publish import write_atomically
from lexiclass.regular_files import read_regular
from lexiclass.sealed import MAX_SEALED_BYTES, seal, unseal

#: Name of the manifest in an index directory.
INDEX_FILE = "index.json"

#: Raised when an older reader could not read what a newer writer writes.
#:
#: 3. Shards have a ``stamp``.
INDEX_FORMAT_VERSION = 3


Announce = Callable[[str], None]
"""Told the SHA-256 of a manifest that is about to replace another; may raise."""


def tell_nobody(digest: str) -> None:
    """Announce a manifest where nobody keeps its digest."""
    del digest


def manifest_digest(directory: Path) -> str:
    """Return the SHA-256 of the manifest of the current generation, without parsing it.

    Raises:
        ModelCorrupt: If there is none, or it is no regular file or too long.
    """
    return hashlib.sha256(read_regular(directory / INDEX_FILE, MAX_SEALED_BYTES)).hexdigest()


class TermsRecord(BaseModel):
    """A file with terms that follow those of the files before it.

    Attributes:
        name: Of the file.
        num_terms: Terms in it.
        file: Its checksum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^terms-[0-9a-f]{32}\.safetensors$")
    num_terms: int = Field(ge=1, lt=2**31)
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
    num_documents: int = Field(ge=0, lt=2**31)
    file: FileRecord


class GenerationManifest(BaseModel):
    """Description of one generation of an index, of whatever.

    Attributes:
        supported: Newest version of the layout that is understood here.
        data_file: What names of data files look like, also of earlier formats, finished or not.
        format_version: Version of the layout.
        created_at: When it was built.
        generation: Counts how often it was replaced.
        documents: The table of documents.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    supported: ClassVar[int]
    data_file: ClassVar[re.Pattern[str]]

    format_version: int
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    generation: int = Field(ge=1, lt=2**62)
    documents: TableRecord

    _file_digest: str = PrivateAttr(default="")

    @property
    def file_digest(self) -> str:
        """SHA-256 of the file it was read from or written to: of all that the generation is.

        Whoever keeps it elsewhere can tell whether an index is still the one that was built,
        however well its files fit together.
        """
        return self._file_digest

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        return {self.documents.name: self.documents.file}

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of the current generation and check that it is unchanged.

        Raises:
            ModelCorrupt: If it is missing, changed or not understood.
            PluginMismatch: If another version of this library wrote it, which lays it out
                otherwise.
        """
        data = read_regular(directory / INDEX_FILE, MAX_SEALED_BYTES)
        content = unseal(data, file=INDEX_FILE)
        check_format(content, cls.supported, file=INDEX_FILE)
        try:
            manifest = cls.model_validate(content)
        except ValidationError as error:
            raise ModelCorrupt(INDEX_FILE, f"not understood ({error})") from error
        manifest._file_digest = hashlib.sha256(data).hexdigest()  # noqa: SLF001 - its own
        return manifest

    @classmethod
    def last_generation(cls, directory: Path) -> int:
        """Return the number of the current generation; 0 where there is none to be read."""
        try:
            return cls.read(directory).generation
        except (ModelCorrupt, PluginMismatch):
            return 0

    def write(self, directory: Path, announce: Announce) -> None:
        """Make this generation the current one, in one step.

        Args:
            directory: Of the index.
            announce: Told :attr:`file_digest` before; what it raises leaves the old generation.
        """
        data = seal(self.model_dump(mode="json"))
        self._file_digest = hashlib.sha256(data).hexdigest()
        announce(self._file_digest)
        write_atomically(directory / INDEX_FILE, data)

    def remove_others(self, directory: Path) -> None:
        """Remove the files of earlier generations and of builds that were given up."""
        named = {INDEX_FILE, *self.files}
        for path in directory.iterdir():
            if path.name not in named and self.data_file.fullmatch(path.name):
                path.unlink(missing_ok=True)


class IndexManifest(GenerationManifest):
    """Description of one generation of an index of tokens.

    Attributes:
        configuration: What the documents were tokenized with.
        tokenizer_versions: Libraries whose major version must be the same to go on from here.
        terms: The terms, in the order of their numbers.
        shards: The documents' tokens.
    """

    supported = INDEX_FORMAT_VERSION
    data_file = re.compile(r"\.?(?:documents|shard|terms)[-.].+\.(?:safetensors|json|partial)")

    format_version: int = INDEX_FORMAT_VERSION
    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    terms: list[TermsRecord]
    shards: list[ShardRecord]

    @field_validator("shards")
    @classmethod
    def _numbered(cls, shards: list[ShardRecord]) -> list[ShardRecord]:
        if any(shard.numbers is None for shard in shards):
            raise ValueError("a shard's terms have no numbers")
        return shards

    @property
    def num_terms(self) -> int:
        """Distinct terms ever seen."""
        return sum(record.num_terms for record in self.terms)

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        files = super().files
        files |= {record.name: record.file for record in self.terms}
        for shard in self.shards:
            files |= shard.files
        return files
