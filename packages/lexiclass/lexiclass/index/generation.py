"""Making what a build has found the current generation of an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np

from lexiclass.checksums import FileRecord
from lexiclass.index.compaction import compact
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.manifest import Announce, IndexManifest, TermsRecord
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.shard import Shard, ShardRecord, write_numbers
from lexiclass.index.table import DocumentTable, write_table
from lexiclass.index.terms import encode_terms
from lexiclass.publish import sync
from lexiclass.serialization import write_arrays
from lexiclass.tokens import Vocabulary

# Lists of terms a reader opens at most.
_MANY_TERM_LISTS = 16


def write_generation(
    directory: Path,
    *,
    configuration: IndexConfiguration,
    tokenizer_versions: Mapping[str, str],
    previous: DocumentIndex | None,
    generation: int,
    table: DocumentTable,
    shards: Sequence[ShardRecord],
    before_publication: Callable[[], None],
    announce: Announce,
) -> IndexManifest:
    """Number the terms of new shards, compact, and replace the manifest.

    Args:
        directory: Of the index.
        configuration: What the documents were tokenized with.
        tokenizer_versions: Libraries that tokenized them.
        previous: The index whose terms keep their numbers.
        generation: Number of the generation.
        table: The documents.
        shards: Their shards; those of the build have no numbers yet.
        before_publication: Called when all but the manifest is written; may raise.
        announce: Told the digest of the manifest then.
    """
    vocabulary = _NumberedTerms(previous)
    used = np.bincount(table.shards, minlength=len(shards)) > 0
    numbered = [
        vocabulary.number(directory, record) if is_used and record.numbers is None else record
        for record, is_used in zip(shards, used, strict=True)
    ]
    table, numbered = compact(directory, table, numbered, vocabulary)
    manifest = IndexManifest(
        generation=generation,
        configuration=configuration,
        tokenizer_versions=dict(tokenizer_versions),
        documents=write_table(directory, table),
        terms=vocabulary.write(directory),
        shards=numbered,
    )
    before_publication()
    manifest.write(directory, announce)
    return manifest


class _NumberedTerms(Sequence[str]):
    """The terms of an index, which keep their numbers and get more."""

    def __init__(self, previous: DocumentIndex | None) -> None:
        self._previous = previous
        self._vocabulary: Vocabulary | None = None
        self._terms: list[str] | None = None

    def __len__(self) -> int:
        return len(self._list())

    def __getitem__(self, number: int) -> str:  # type: ignore[override]  # no slices are asked for
        return self._list()[number]

    def number(self, directory: Path, record: ShardRecord) -> ShardRecord:
        """Number the terms of a new shard."""
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(() if self._previous is None else self._previous.terms)
        numbers = self._vocabulary.encode(Shard(directory, record).terms)
        self._terms = None
        return write_numbers(directory, record, numbers)

    def write(self, directory: Path) -> list[TermsRecord]:
        """Write the terms that were added, or all of them once there are many files."""
        records = [] if self._previous is None else list(self._previous.manifest.terms)
        if len(records) >= _MANY_TERM_LISTS:
            records = []
        start = sum(record.num_terms for record in records)
        added = self._list()[start:] if self._vocabulary is not None or not records else []
        if added:
            path = directory / f"terms-{uuid4().hex}.safetensors"
            write_arrays(path, encode_terms(added))
            sync(path)
            record = TermsRecord(name=path.name, num_terms=len(added), file=FileRecord.of(path))
            records.append(record)
        return records

    def _list(self) -> list[str]:
        if self._terms is None:
            if self._vocabulary is not None:
                self._terms = list(self._vocabulary)
            else:
                self._terms = [] if self._previous is None else self._previous.terms
        return self._terms


def go_ahead() -> None:
    """Publish without asking: nobody else builds this index."""
