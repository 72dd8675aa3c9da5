"""Writing the generation that holds some documents of an index of tokens, and nothing else.

An update leaves what is no longer used where it is: compaction is for room, not for privacy. Here
every shard with a row that no document has is written anew, and the terms are numbered from the
beginning, so that a word only such documents had is in no file.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from lexiclass.atomic_write import sync
from lexiclass.index.store.compaction import compact
from lexiclass.index.store.files import new_name
from lexiclass.index.store.table import DocumentTable
from lexiclass.index.tokens.generation import join_rows, limits, write_generation
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.index.tokens.shard import TokenShardRecord


def reduce_tokens(index: DocumentIndex, table: DocumentTable) -> IndexManifest | None:
    """Write all but the manifest; None if the files hold nothing else already."""
    directory, manifest = index.directory, index.manifest
    if _is_clean(index, table):
        return None

    def join(part: DocumentTable) -> TokenShardRecord:
        return join_rows(directory, part, manifest.shards, index.terms)[0]

    table, records = compact(table, manifest.shards, limits(), join, sparse_below=1)
    return write_generation(
        directory,
        configuration=manifest.configuration,
        tokenizer_versions=manifest.tokenizer_versions,
        previous=None,
        generation=manifest.generation + 1,
        table=table,
        shards=[
            record if record.numbers is None else _renamed(directory, record) for record in records
        ],
    )


def _is_clean(index: DocumentIndex, table: DocumentTable) -> bool:
    """Whether the files hold nothing but what the documents of a table have."""
    live = np.bincount(table.shards, minlength=len(index.shards))
    if any(count != len(shard) for count, shard in zip(live, index.shards, strict=True)):
        return False
    is_used = np.zeros(index.manifest.num_terms, dtype=np.bool_)
    for shard in index.shards:
        is_used[shard.numbers] = True
    return bool(is_used.all())


def _renamed(directory: Path, record: TokenShardRecord) -> TokenShardRecord:
    """Give a shard's file another name: its terms get other numbers, and no file ever changes."""
    renamed = record.model_copy(update={"name": new_name("shard"), "numbers": None, "stamp": None})
    source, target = directory / record.file_name, directory / renamed.file_name
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system has links, and one may have a limit for them
        shutil.copyfile(source, target)
        sync(target)
    return renamed
