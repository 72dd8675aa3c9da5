"""What an index of tokens is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, field_validator

from lexiclass.checksums import FileRecord
from lexiclass.index.store.files import DataFile
from lexiclass.index.store.manifest import GenerationManifest
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.shard import TokenShardRecord

#: Raised when an older reader could not read what a newer writer writes.
#:
#: 3. Shards have a ``stamp``.
INDEX_FORMAT_VERSION = 3


class TermsRecord(DataFile):
    """A file with terms that follow those of the files before it."""

    name: str = Field(pattern=r"^terms-[0-9a-f]{32}\.safetensors$")
    num_terms: int = Field(ge=1, lt=2**31)


class IndexManifest(GenerationManifest):
    """Description of one generation of an index of tokens."""

    supported = INDEX_FORMAT_VERSION
    data_file = re.compile(r"\.?(?:documents|shard|terms)[-.].+\.(?:safetensors|json|partial)")

    format_version: int = INDEX_FORMAT_VERSION
    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    terms: list[TermsRecord]
    shards: list[TokenShardRecord]

    @field_validator("shards")
    @classmethod
    def _numbered(cls, shards: list[TokenShardRecord]) -> list[TokenShardRecord]:
        if any(shard.numbers is None for shard in shards):
            raise ValueError("a shard's terms have no numbers")
        return shards

    @property
    def libraries(self) -> Mapping[str, str]:
        """See :class:`~lexiclass.index.store.manifest.GenerationManifest`."""
        return self.tokenizer_versions

    @property
    def num_terms(self) -> int:
        """Distinct terms ever seen."""
        return sum(record.num_terms for record in self.terms)

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        return super().files | {record.name: record.file for record in self.terms}
