"""What a build notes of the shards it has finished, so that the next one can go on from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from lexiclass.atomic_write import write_atomically
from lexiclass.errors import ModelCorrupt
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.shard import TokenShard, TokenShardRecord
from lexiclass.regular_files import read_regular
from lexiclass.self_digest import MAX_MANIFEST_BYTES, dump_with_digest, load_with_digest
from lexiclass.serialization import canonical_json
from lexiclass.values import Value


class ClaimSigner(Protocol):
    """Signs what lies where others can write, and knows its signatures again."""

    def sign(self, content: bytes) -> str:
        """The signature of some bytes."""
        ...

    def verify(self, content: bytes, claimed: object) -> bool:
        """Whether a signature is one of these bytes."""
        ...


class Claim(Value):
    """What is written beside a new shard until a manifest names it.

    A build that was interrupted leaves these, and the next one goes on from them.

    Attributes:
        configuration: Of the index.
        tokenizer_versions: Libraries that tokenized the documents.
        shard: The shard, with the checksum of its file.
        build: Names the build that the shard was made for, where several processes or machines
            make those of one; None if it was made by the build itself.
        signature: Of all else; None where nobody signs.
    """

    configuration: IndexConfiguration
    tokenizer_versions: dict[str, str]
    shard: TokenShardRecord
    build: str | None = None
    signature: str | None = None

    @property
    def signed_content(self) -> bytes:
        """What the signature is of."""
        left_out = {"signature"} if self.build is not None else {"signature", "build"}
        return canonical_json(self.model_dump(mode="json", exclude=left_out))

    def is_signed_by(self, signer: ClaimSigner | None) -> bool:
        """Whether somebody has signed it; where nobody signs, each counts."""
        return signer is None or signer.verify(self.signed_content, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims in the directory of an index.

    Attributes:
        directory: Of the index.
        configuration: What its documents are tokenized with.
        tokenizer_versions: Libraries that tokenize them here.
        signer: Signs claims, and those alone count that it has signed: a manifest takes the
            checksums of its shards from them. None if nobody else can write to the directory.
        build: See :class:`Claim`.
    """

    directory: Path
    configuration: IndexConfiguration
    tokenizer_versions: Mapping[str, str]
    signer: ClaimSigner | None
    build: str | None = None

    def write(self, shard: TokenShardRecord) -> None:
        """Note a shard that is finished."""
        claim = Claim(
            configuration=self.configuration,
            tokenizer_versions=dict(self.tokenizer_versions),
            shard=shard,
            build=self.build,
        )
        if self.signer is not None:
            signature = self.signer.sign(claim.signed_content)
            claim = claim.model_copy(update={"signature": signature})
        write_atomically(
            self.directory / f"{shard.name}.json", dump_with_digest(claim.model_dump(mode="json"))
        )

    def shards(self, *, of_build_only: bool = False) -> Iterator[TokenShardRecord]:
        """Return the shards that other builds have finished, or others for this one, checked.

        Those that were made for other builds than this one can be left out.
        """
        for claim in claims_in(self.directory, self.signer):
            if not self._is_own(claim) or (of_build_only and not self._is_of_build(claim)):
                continue
            with suppress(ModelCorrupt):  # interrupted while it was written
                TokenShard(self.directory, claim.shard).verify()
                yield claim.shard

    def _is_own(self, claim: Claim) -> bool:
        made_by = (claim.configuration, claim.tokenizer_versions)
        return made_by == (self.configuration, dict(self.tokenizer_versions))

    def _is_of_build(self, claim: Claim) -> bool:
        return self.build is not None and claim.build == self.build


def claims_in(directory: Path, signer: ClaimSigner | None) -> Iterator[Claim]:
    """Return the claims in a directory that are whole and signed, by the names of their shards.

    The others were interrupted while they were written, or are somebody else's: the next build
    removes them.
    """
    for path in sorted(directory.glob("shard-*.json")):
        try:
            data = read_regular(path, MAX_MANIFEST_BYTES)
            claim = Claim.model_validate(load_with_digest(data, file=path.name))
        except (ModelCorrupt, ValidationError):
            continue
        if f"{claim.shard.name}.json" == path.name and claim.is_signed_by(signer):
            yield claim
