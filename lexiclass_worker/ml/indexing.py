"""Indexing a project's documents, in the sandbox."""

from typing import Any

from lexiclass.index import build_index
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass_worker.jobs.indexing import IndexJob
from lexiclass_worker.jobs.supervision import Supervision
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import token_index_name


def build_project_index(job: IndexJob, report: Supervision) -> dict[str, Any]:
    """Bring the index up to date with the documents, which are all there are.

    A reader sees the old generation until the new one is complete.

    Raises:
        LexiClassError: What the library refuses: the tokenizer, the locale.
        OSError: If the storage fails.
    """

    def tell(stage: str, done: int, total: int) -> None:
        report("index" if stage == "tokenize" else stage, done, total)

    name = token_index_name(job.tokenizer, job.locale, job.tokenizer_params)
    confirm = report.ask_to_publish
    with index_files.building(job.indexes, name, IndexManifest.read, confirm) as building:
        built = build_index(
            building.directory,
            StoredDocuments(job.source, job.documents),
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
        )
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


def _digests(job: IndexJob, name: str) -> dict[str, str | None]:
    """Of the index, and of those from before any was kept, which are used as they are."""
    names = [name]
    if job.indexes.takes_unknown:
        there = set(index_files.names_of(job.indexes))
        names += sorted(there - job.indexes.digests.keys() - {name})
    return {each: index_files.stored_digest(job.indexes, each) for each in names}
