"""Writing a generation of an index of tokens: terms are numbered, shards compacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.store.compaction import Limits, compact
from lexiclass.index.store.files import new_name, write_file
from lexiclass.index.store.table import DocumentTable, group_by_shard, write_table
from lexiclass.index.tokens.configuration import IndexConfiguration
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.index.tokens.manifest import IndexManifest, TermsRecord
from lexiclass.index.tokens.shard import TokenShard, TokenShardRecord, write_numbers, write_shard
from lexiclass.index.tokens.terms import encode_terms
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate

# Lists of terms a reader opens at most.
_MANY_TERM_LISTS = 16

_SMALL_TOKENS = 1_000_000

# Tokens of a joined shard: 32 MB of English text.
_JOINED_TOKENS = 6_000_000


def limits() -> Limits:
    """Return the sizes of shards, in tokens."""
    return Limits(_SMALL_TOKENS, _JOINED_TOKENS)


def write_generation(
    directory: Path,
    *,
    configuration: IndexConfiguration,
    tokenizer_versions: Mapping[str, str],
    previous: DocumentIndex | None,
    generation: int,
    table: DocumentTable,
    shards: Sequence[TokenShardRecord],
) -> IndexManifest:
    """Number the terms of new shards, compact, and write all but the manifest.

    Terms of the previous index keep their numbers; shards of the build have none yet.
    """
    vocabulary = _NumberedTerms(previous)
    used = np.bincount(table.shards, minlength=len(shards)) > 0
    numbered = [
        vocabulary.number(directory, record) if is_used and record.numbers is None else record
        for record, is_used in zip(shards, used, strict=True)
    ]

    def join(part: DocumentTable) -> TokenShardRecord:
        return write_numbers(directory, *join_rows(directory, part, numbered, vocabulary))

    table, numbered = compact(table, numbered, limits(), join)
    return IndexManifest(
        generation=generation,
        configuration=configuration,
        tokenizer_versions=dict(tokenizer_versions),
        documents=write_table(directory, table),
        terms=vocabulary.write(directory),
        shards=numbered,
    )


def join_rows(
    directory: Path,
    table: DocumentTable,
    records: Sequence[TokenShardRecord],
    terms: Sequence[str],
) -> tuple[TokenShardRecord, NDArray[np.int32]]:
    """Write documents of several shards, whose terms have numbers, as a new shard.

    Returns:
        The shard, and which number each of its terms has in the index.
    """
    order, groups = group_by_shard(table.shards, table.rows)
    shards = {number: TokenShard(directory, records[number], len(terms)) for number, _ in groups}
    tokens = concatenate([shards[number].tokens(rows) for number, rows in groups], ())
    if order is not None:
        tokens = tokens.take(order)
    numbers, ids = _renumber(tokens.ids, len(terms))
    names = list(map(terms.__getitem__, numbers.tolist()))
    return write_shard(directory, table, TokenMatrix(names, ids, tokens.indptr)), numbers


def _renumber(
    ids: NDArray[np.int32], num_terms: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return which terms there are, ascending, and the ids as numbers of these; without sorting."""
    is_used = np.zeros(num_terms, dtype=np.bool_)
    is_used[ids] = True
    places = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(is_used).astype(np.int32), places[ids]


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

    def number(self, directory: Path, record: TokenShardRecord) -> TokenShardRecord:
        """Number the terms of a new shard."""
        if self._vocabulary is None:
            self._vocabulary = Vocabulary(() if self._previous is None else self._previous.terms)
        numbers = self._vocabulary.encode(TokenShard(directory, record).terms)
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
            name = f"{new_name('terms')}.safetensors"
            file = write_file(directory / name, encode_terms(added))
            records.append(TermsRecord(name=name, num_terms=len(added), file=file))
        return records

    def _list(self) -> list[str]:
        if self._terms is None:
            if self._vocabulary is not None:
                self._terms = list(self._vocabulary)
            else:
                self._terms = [] if self._previous is None else self._previous.terms
        return self._terms
