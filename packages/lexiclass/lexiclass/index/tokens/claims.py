"""What a build notes of the shards it has finished, so that the next one can go on from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from lexiclass.atomic_write import write_atomically
from lexiclass.errors import ModelCorrupt
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.shard import TokenShard, TokenShardRecord
from lexiclass.regular_files import read_regular
from lexiclass.self_digest import MAX_MANIFEST_BYTES, dump_with_digest, load_with_digest
from lexiclass.serialization import canonical_json


class ClaimSigner(Protocol):
    """Signs what lies where others can write, and knows its signatures again."""

    def sign(self, content: bytes) -> str:
        """The signature of some bytes."""
        ...

    def verify(self, content: bytes, claimed: object) -> bool:
        """Whether a signature is one of these bytes."""
        ...


class Claim(BaseModel):
    """What is written beside a new shard until a manifest names it.

    A build that was interrupted leaves these, and the next one goes on from them.

    Attributes:
        configuration: Of the index.
        tokenizer_versions: Libraries that tokenized the documents.
        shard: The shard, with the checksum of its file.
        signature: Of all else; None where nobody signs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    shard: TokenShardRecord
    signature: str | None = None

    @property
    def signed_content(self) -> bytes:
        """What the signature is of."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims in the directory of an index.

    Attributes:
        directory: Of the index.
        configuration: What its documents are tokenized with.
        tokenizer_versions: Libraries that tokenize them here.
        signer: Signs claims, and those alone count that it has signed: a manifest takes the
            checksums of its shards from them. None if nobody else can write to the directory.
    """

    directory: Path
    configuration: IndexConfiguration
    tokenizer_versions: Mapping[str, str]
    signer: ClaimSigner | None

    def write(self, shard: TokenShardRecord) -> None:
        """Note a shard that is finished."""
        claim = Claim(
            configuration=self.configuration,
            tokenizer_versions=dict(self.tokenizer_versions),
            shard=shard,
        )
        if self.signer is not None:
            signature = self.signer.sign(claim.signed_content)
            claim = claim.model_copy(update={"signature": signature})
        write_atomically(
            self.directory / f"{shard.name}.json", dump_with_digest(claim.model_dump(mode="json"))
        )

    def shards(self) -> Iterator[TokenShardRecord]:
        """Return the shards an interrupted build has finished, checked."""
        for path in sorted(self.directory.glob("shard-*.json")):
            try:
                data = read_regular(path, MAX_MANIFEST_BYTES)
                claim = Claim.model_validate(load_with_digest(data, file=path.name))
                if not self._is_own(claim):
                    continue
                TokenShard(self.directory, claim.shard).verify()
            except (ModelCorrupt, ValidationError):
                continue  # interrupted while it was written: removed by the next build
            yield claim.shard

    def _is_own(self, claim: Claim) -> bool:
        made_by = (claim.configuration, claim.tokenizer_versions)
        if made_by != (self.configuration, dict(self.tokenizer_versions)):
            return False
        return self.signer is None or self.signer.verify(claim.signed_content, claim.signature)
