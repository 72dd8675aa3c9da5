"""Turning documents into shards, in any of several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.index.store.building import Unread
from lexiclass.index.store.digests import digest_bytes, digest_rows
from lexiclass.index.store.source import DocumentSource
from lexiclass.index.store.table import DocumentTable
from lexiclass.index.tokens.claims import Claims, ClaimSigner
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.shard import TokenShardRecord, write_shard
from lexiclass.io import Document, UnreadableDocument
from lexiclass.plugins.base import Tokenizer
from lexiclass.plugins.registry import Registry

# Documents that are read between two reports of how many there were.
_TOLD_EVERY = 16


class Encoding(TypedDict, total=False):
    """How documents become shards.

    Attributes:
        tokenizer: Name of the tokenizer; ``icu`` if not given.
        locale: Language of the documents; ``en`` if not given.
        params: Parameters of the tokenizer.
        registry: Where the tokenizer is found; the default one if not given.
        model_directory: The only place a pretrained tokenizer may be read from by path; anywhere
            if not given.
        signer: Signs what is noted of finished shards, and only what it has signed is gone on
            from; for a directory that others can write to.
    """

    tokenizer: str
    locale: str
    params: Mapping[str, Any] | None
    registry: Registry | None
    model_directory: Path | None
    signer: ClaimSigner | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What became of a chunk.

    Attributes:
        shard: The new shard; None if no document was new or changed.
        unchanged: (n,) whether a document of the chunk has the digest it is indexed with.
        failed: Documents that could not be read, and why.
    """

    shard: TokenShardRecord | None
    unchanged: NDArray[np.bool_]
    failed: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEncoder:
    """Reads and tokenizes documents, and writes them down."""

    directory: Path
    configuration: IndexConfiguration
    tokenizer: Tokenizer
    signer: ClaimSigner | None = None
    build: str | None = None

    @classmethod
    def of(
        cls,
        directory: Path,
        *,
        build: str | None,
        tokenizer: str = "icu",
        locale: str = "en",
        params: Mapping[str, Any] | None = None,
        registry: Registry | None = None,
        model_directory: Path | None = None,
        signer: ClaimSigner | None = None,
    ) -> Self:
        """Prepare a tokenizer for an index; see :class:`Encoding`."""
        configuration = IndexConfiguration.of(tokenizer, locale, params, registry=registry)
        splitter = configuration.make_tokenizer(registry, model_directory)
        if splitter.learns:
            raise InvalidParameters(
                f"The tokenizer {tokenizer!r} learns from the training texts, so each model has "
                "its own tokens and there is nothing to index. Index with another tokenizer, such "
                "as 'icu'; models with this one are trained from the texts.",
                details={"tokenizer": tokenizer},
            )
        return cls(
            directory=directory,
            configuration=configuration,
            tokenizer=splitter,
            signer=signer,
            build=build,
        )

    def encode(
        self,
        source: DocumentSource,
        chunk: Unread,
        tell: Callable[[int], None],
        name: str | None = None,
    ) -> Encoded:
        """Make a shard, under a new name or this one, of the documents that are new or changed.

        Now and then it tells how many of them are done.

        Raises:
            InvalidParameters: If a digest is not what it should be.
        """
        reading = _Reading(chunk, tell)
        tokens = self.tokenizer.encode(reading.texts(source.read(chunk.positions)))
        record = None
        if reading.written.any():
            table = DocumentTable.of_shard(
                0,
                ids=source.ids[chunk.positions[reading.written]],
                digests=digest_rows(b"".join(reading.digests)),
                stamps=chunk.stamps[reading.written],
            )
            record = write_shard(self.directory, table, tokens, name)
            self.claims.write(record)
        return Encoded(shard=record, unchanged=reading.unchanged, failed=reading.failed)

    @property
    def claims(self) -> Claims:
        """What is noted of the shards that are finished."""
        return Claims(
            directory=self.directory,
            configuration=self.configuration,
            tokenizer_versions=self.tokenizer.identity(),
            signer=self.signer,
            build=self.build,
        )


@dataclass(slots=True)
class _Reading:
    """Sorts the documents of a chunk while they are read."""

    chunk: Unread
    tell: Callable[[int], None]
    digests: list[bytes] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    written: NDArray[np.bool_] = field(init=False)
    unchanged: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.written = np.zeros(len(self.chunk.positions), dtype=np.bool_)
        self.unchanged = np.zeros(len(self.chunk.positions), dtype=np.bool_)

    def texts(self, documents: Iterator[Document | UnreadableDocument]) -> Iterator[str]:
        """Pass the texts on that are new or changed."""
        known = self.chunk.digests
        for place, document in enumerate(documents):
            if place % _TOLD_EVERY == 0:
                self.tell(place)
            if isinstance(document, UnreadableDocument):
                self.failed[int(document.id)] = document.reason
                continue
            digest = digest_bytes(document)
            if self.chunk.places[place] >= 0 and known[place].tobytes() == digest:
                self.unchanged[place] = True
                continue
            self.written[place] = True
            self.digests.append(digest)
            yield document.text
        self.tell(len(self.written))
