"""Indexing a project's documents, in the sandbox."""

from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.index import ManyNewDocuments, NewShard, build_index, write_shards
from lexiclass.index.tokens.claims import claims_in
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass_core.keys import Keys
from lexiclass_worker.artifacts.generations import Checksum, Files
from lexiclass_worker.jobs.indexing import IndexJob, ShardJob
from lexiclass_worker.jobs.supervision import Supervision
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import token_index_name


def build_project_index(job: IndexJob, report: Supervision) -> dict[str, Any]:
    """Bring the index up to date with the documents, which are all there are.

    A reader sees the old generation until the new one is complete. Where more documents are new
    than the job may read, it says which are to become a shard together, and changes nothing.

    Raises:
        LexiClassError: What the library refuses: the tokenizer, the locale.
        OSError: If the storage fails.
    """

    def tell(stage: str, done: int, total: int) -> None:
        report("index" if stage == "tokenize" else stage, done, total)

    def find_claimed(directory: Path) -> Files:
        return _claimed(directory, job.claim_keys)

    name = token_index_name(job.tokenizer, job.locale, job.tokenizer_params)
    documents = StoredDocuments(job.source, job.documents)
    confirm = report.ask_to_publish
    try:
        with index_files.building(
            job.indexes, name, IndexManifest.read, confirm, find_claimed
        ) as building:
            built = build_index(
                building.directory,
                documents,
                tokenizer=job.tokenizer,
                locale=job.locale,
                params=job.tokenizer_params,
                is_incremental=job.is_incremental,
                num_processes=job.num_processes,
                model_directory=job.pretrained_directory,
                progress=tell,
                before_publication=confirm,
                announce=building.announce,
                signer=job.claim_keys,
                build=job.build,
                most_new=job.most_new,
            )
    except ManyNewDocuments as many:
        return {"name": name, "shards": [_told(ids, documents.ids) for ids in many.shards]}
    return {
        "name": name,
        "digests": _digests(job, name),
        "counts": {
            "num_documents": built.num_documents,
            "added": built.added,
            "changed": built.changed,
            "removed": built.removed,
            "unchanged": built.unchanged,
        },
        "failed": list(built.failed.items()),
        "seconds": dict(built.stage_seconds),
    }


def write_project_shards(job: ShardJob, report: Supervision) -> dict[str, Any]:
    """Make some shards of a build that others make the rest of.

    Returns:
        The names of those that were made, and how many documents could not be read.

    Raises:
        LexiClassError: What the library refuses: the tokenizer, the locale.
        OSError: If the storage fails.
    """
    ends = accumulate((number for _, number in job.shards), initial=0)
    positions = np.arange(len(job.documents))
    made = write_shards(
        job.directory,
        StoredDocuments(job.source, job.documents),
        [
            NewShard(name, positions[begin:end])
            for (name, _), (begin, end) in zip(job.shards, pairwise(ends), strict=True)
        ],
        build=job.build,
        tokenizer=job.tokenizer,
        locale=job.locale,
        params=job.tokenizer_params,
        num_processes=job.num_processes,
        model_directory=job.pretrained_directory,
        progress=lambda _, done, total: report("index", done, total),
        signer=job.claim_keys,
    )
    return {"shards": [shard.name for shard in made.shards], "num_unreadable": made.num_unreadable}


def _told(ids: NDArray[np.int64], all_ids: NDArray[np.int64]) -> tuple[int, Any]:
    """How many documents a shard has, and which: a range where no others lie between."""
    first, last = int(ids[0]), int(ids[-1])
    between = np.searchsorted(all_ids, last, "right") - np.searchsorted(all_ids, first)
    is_range = between == len(ids)
    return len(ids), {"first": first, "last": last} if is_range else ids.tolist()


def _claimed(directory: Path, keys: Keys) -> Files:
    """The shards that were made for builds, as the claims say that were signed here."""
    files = {}
    for claim in claims_in(directory, keys):
        file = claim.shard.file
        files[claim.shard.file_name] = Checksum(file.size, file.sha256)
    return files


def _digests(job: IndexJob, name: str) -> dict[str, str | None]:
    """Of the index, and of those from before any was kept, which are used as they are."""
    names = [name]
    if job.indexes.takes_unknown:
        there = set(index_files.names_of(job.indexes))
        names += sorted(there - job.indexes.digests.keys() - {name})
    return {each: index_files.stored_digest(job.indexes, each) for each in names}
