"""Taking documents out of an index so that nothing of them is left, nor of those that went before.

An update leaves what is no longer used where it is: compaction is for room, not for privacy. Here
every shard with a row that no document has is written anew, and the terms are numbered from the
beginning, so that a word only such documents had is in no file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from lexiclass.index.compaction import join_rows
from lexiclass.index.generation import go_ahead, write_generation
from lexiclass.index.manifest import Announce, tell_nobody
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.shard import ShardRecord
from lexiclass.index.table import DocumentTable
from lexiclass.publish import sync


def keep_documents(
    directory: Path,
    ids: NDArray[np.int64],
    *,
    before_publication: Callable[[], None] = go_ahead,
    announce: Announce = tell_nobody,
) -> int:
    """Keep some documents of an index, and no trace of any other.

    A reader sees the old generation until the new one is complete. Killed at any point, the next
    call does the rest. Only one build or erasure of a directory may run at a time.

    Args:
        directory: Of the index.
        ids: (n,) the documents that may stay, in any order; those that are not in it do no harm.
        before_publication: See :func:`~lexiclass.index.build_index`.
        announce: See there.

    Returns:
        How many documents are in the index now. If it is none the files are as they were: remove
        the directory.

    Raises:
        ModelCorrupt: If the index is damaged: remove the directory.
        PluginMismatch: If a newer version of this library wrote it.
    """
    index = DocumentIndex.open(directory)
    table = index.table.take(np.isin(index.table.ids, ids))
    if not len(table):
        return 0
    manifest = index.manifest
    if not _is_clean(index, table):
        table, records = _rewritten(index, table)
        manifest = write_generation(
            directory,
            configuration=manifest.configuration,
            tokenizer_versions=manifest.tokenizer_versions,
            previous=None,
            generation=manifest.generation + 1,
            table=table,
            shards=records,
            before_publication=before_publication,
            announce=announce,
        )
    before_publication()
    manifest.remove_others(directory)
    return len(table)


def _is_clean(index: DocumentIndex, table: DocumentTable) -> bool:
    """Whether the files hold nothing but what the documents of a table have."""
    live = np.bincount(table.shards, minlength=len(index.shards))
    if any(count != len(shard) for count, shard in zip(live, index.shards, strict=True)):
        return False
    is_used = np.zeros(index.manifest.num_terms, dtype=np.bool_)
    for shard in index.shards:
        is_used[shard.numbers] = True
    return bool(is_used.all())


def _rewritten(
    index: DocumentIndex, table: DocumentTable
) -> tuple[DocumentTable, list[ShardRecord]]:
    """Write the shards of a table's documents anew, those that hold no others under new names."""
    records: list[ShardRecord] = []
    tables: list[DocumentTable] = []
    for number, shard in enumerate(index.shards):
        part = table.take(table.shards == number)
        if not len(part):
            continue
        if len(part) == len(shard):
            records.append(_renamed(index.directory, shard.record))
            rows = part.rows
        else:
            tokens = shard.tokens(part.rows.astype(np.int64))
            records.append(join_rows(index.directory, part, tokens, index.terms)[0])
            rows = np.arange(len(part), dtype=np.int32)
        tables.append(
            DocumentTable(
                ids=part.ids,
                digests=part.digests,
                stamps=part.stamps,
                shards=np.full(len(part), len(records) - 1, np.int32),
                rows=rows,
            )
        )
    return DocumentTable.joined(tables), records


def _renamed(directory: Path, record: ShardRecord) -> ShardRecord:
    """Give a shard's file another name: its terms get other numbers, and no file ever changes."""
    name = f"shard-{uuid4().hex}"
    renamed = record.model_copy(update={"name": name, "numbers": None, "stamp": None})
    source, target = directory / record.file_name, directory / renamed.file_name
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system has links, and one may have a limit for them
        shutil.copyfile(source, target)
        sync(target)
    return renamed
