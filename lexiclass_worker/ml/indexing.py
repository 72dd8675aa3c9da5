"""Indexing a project's documents, in the sandbox."""

from typing import Any

from lexiclass.index import build_index
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.jobs import IndexJob
from lexiclass_worker.ml.reporting import Supervision


def build_project_index(job: IndexJob, report: Supervision) -> dict[str, Any]:
    """Bring the index up to date with the documents, which are all there are.

    A reader sees the old generation until the new one is complete.

    Raises:
        LexiClassError: What the library refuses: the tokenizer, the locale.
    """

    def tell(stage: str, done: int, total: int) -> None:
        report("index" if stage == "tokenize" else stage, done, total)

    built = build_index(
        job.directory,
        StoredDocuments(job.source, job.documents),
        tokenizer=job.tokenizer,
        locale=job.locale,
        is_incremental=job.is_incremental,
        num_processes=job.num_processes,
        model_directory=job.pretrained_directory,
        progress=tell,
        before_publication=report.ask_to_publish,
    )
    return {
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
